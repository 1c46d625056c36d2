/**
 * Bytes of a text/event-stream, in any split, to events (WHATWG HTML, 9.2.5 and 9.2.6).
 *
 * Work is linear in the bytes fed: each character is searched for a line end once, in its own chunk, and an
 * unfinished line is never looked at until its end has come.
 */

/** One dispatched event. `id` is the last event id at that moment: its own, or an earlier event's. */
export interface ServerSentEvent {
  readonly type: string;
  readonly data: string;
  readonly id: string;
}

/** Most characters of one line and of one event's data. */
export interface SseLimits {
  readonly line: number;
  readonly event: number;
}

/** 16 Mi: an image comes as base64 in one line; the same for the event, as splitting its data must gain nothing. */
export const SSE_LIMITS: SseLimits = { line: 16 * 1024 * 1024, event: 16 * 1024 * 1024 };

/** 31,000 years, and still exact as a number; more digits are no waiting time anybody meant. */
const MAX_RETRY_DIGITS = 15;

/** The stream passed a limit. The parser takes no more bytes. */
export class SseLimitExceeded extends Error {
  override readonly name = "SseLimitExceeded";
  readonly limit: number;

  constructor(what: string, limit: number) {
    super(`${what} of more than ${limit} characters`);
    this.limit = limit;
  }
}

/** Parses the stream of one connection. On a reconnection, `lastEventId` is the id that was sent. */
export class SseParser {
  /** Id of the last finished event: what a reconnection sends. An unfinished event has not set it. */
  lastEventId: string;

  /** Milliseconds to wait before a reconnection, as the stream last asked; null while it has not. */
  retry: number | null = null;

  /** Holds back a character that a chunk cut in two, turns what is not UTF-8 into U+FFFD and eats one BOM at the
   * very start (`ignoreBOM` false means "do not pass it on"). */
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: false });

  readonly #limits: SseLimits;

  /** The line whose end has not come. Only appended to, never searched: V8 keeps it as a rope, so a line that
   * drips in one byte at a time costs the same as one that comes whole. Never holds CR or LF. */
  #line = "";

  /** The last chunk ended in CR, which ended its line at once: an LF that starts the next chunk is its other half. */
  #afterCr = false;

  /** The unfinished event's data; null before its first `data` field, which is not the same as empty data. A rope,
   * read once at dispatch. */
  #data: string | null = null;

  /** The unfinished event's `event` field; "" gives the default type. */
  #type = "";

  /** The id that the next blank line makes the last event id. */
  #id: string;

  /** The limit that was passed; events complete before it are still returned, the next call throws it. */
  #failure: SseLimitExceeded | null = null;

  constructor(options: { limits?: SseLimits; lastEventId?: string } = {}) {
    this.#limits = options.limits ?? SSE_LIMITS;
    this.lastEventId = this.#id = options.lastEventId ?? "";
  }

  /** Takes the next bytes, returns the events they complete. An event without its blank line at the end of the
   * stream is never returned: the standard discards it. Throws `SseLimitExceeded`. */
  feed(chunk: Uint8Array): ServerSentEvent[] {
    if (this.#failure !== null) throw this.#failure;
    const events: ServerSentEvent[] = [];
    try {
      this.#scan(this.#decoder.decode(chunk, { stream: true }), events);
    } catch (error) {
      if (!(error instanceof SseLimitExceeded)) throw error;
      this.#failure = error;
      this.#line = "";
      this.#data = null;
      if (events.length === 0) throw error;
    }
    return events;
  }

  #scan(text: string, events: ServerSentEvent[]): void {
    if (text === "") return;
    let start = this.#afterCr && text.startsWith("\n") ? 1 : 0;
    this.#afterCr = false;
    // Each kind of line end is searched for again only once the last one found is behind us: asking for the next CR
    // at every line of a stream that has none would read the rest of the chunk each time.
    let cr = text.indexOf("\r", start);
    let lf = text.indexOf("\n", start);
    while (cr >= 0 || lf >= 0) {
      const end = cr >= 0 && (lf < 0 || cr < lf) ? cr : lf;
      this.#finishLine(text.slice(start, end), events);
      start = end + 1;
      if (end === cr) {
        if (start === text.length) this.#afterCr = true;
        else if (lf === start) start += 1;
        cr = text.indexOf("\r", start);
      }
      if (lf >= 0 && lf < start) lf = text.indexOf("\n", start);
    }
    this.#line += text.slice(start);
    if (this.#line.length > this.#limits.line) throw new SseLimitExceeded("a line", this.#limits.line);
  }

  #finishLine(rest: string, events: ServerSentEvent[]): void {
    const line = this.#line === "" ? rest : this.#line + rest;
    this.#line = "";
    if (line === "") this.#dispatch(events);
    else if (line.length > this.#limits.line) throw new SseLimitExceeded("a line", this.#limits.line);
    else this.#field(line);
  }

  #field(line: string): void {
    // The two shapes of nearly every line, without cutting out the name first.
    if (line.startsWith("data: ")) return this.#append(line.slice(6));
    if (line.startsWith("event: ")) {
      this.#type = line.slice(7);
      return;
    }
    const colon = line.indexOf(":");
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
    switch (name) {
      case "data":
        return this.#append(value);
      case "event":
        this.#type = value;
        return;
      case "id":
        if (!value.includes("\0")) this.#id = value;
        return;
      case "retry":
        // ASCII digits only: Number() would also take "+5", "1e3", " 12 " and "".
        if (/^[0-9]+$/.test(value) && value.replace(/^0+/, "").length <= MAX_RETRY_DIGITS) {
          this.retry = Number(value);
        }
        return;
      default: // a comment (empty name) or a field nobody knows
    }
  }

  #append(value: string): void {
    this.#data = this.#data === null ? value : this.#data + "\n" + value;
    if (this.#data.length > this.#limits.event) throw new SseLimitExceeded("an event", this.#limits.event);
  }

  #dispatch(events: ServerSentEvent[]): void {
    this.lastEventId = this.#id; // even when there is no data: `id: 1` and a blank line move the cursor
    if (this.#data !== null) {
      events.push({ type: this.#type || "message", data: this.#data, id: this.#id });
      this.#data = null;
    }
    this.#type = "";
  }
}
