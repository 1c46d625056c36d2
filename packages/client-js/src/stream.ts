/**
 * One answer as it is written, over as many connections as it takes.
 *
 * Rules:
 *
 * 1. Over all connections each event is delivered once, in order: the relay numbers its frames 1, 2, 3 …, a lost
 *    connection is taken up after the last number seen, a repeated number is skipped, a missing one is an error.
 * 2. A connection that closes without the dialect's closing event is lost, never a success.
 * 3. The last event is `end`, exactly once. Only an abort by the caller's own signal throws, as `fetch` does.
 * 4. What a relay no longer has is not passed over: a stream that is gone (404) and a place in it that is lost (410)
 *    are `interrupted`. Where the relay begins the answer anew, one `reset` revokes what came before.
 * 5. A request is sent again only while nothing of its answer has come, under the same idempotency key: it joins.
 * 6. Leaving the loop or aborting is a disconnect, not a stop: what it does is the relay's policy. `stop()` stops.
 */

import { BadEvent } from "./anthropic.ts";
import type { EndEvent, Ending, StreamEvent } from "./events.ts";
import { end, endOf, failure, TailraceError } from "./failure.ts";
import { readFrames } from "./frames.ts";
import { emptyMessage, fold, textOf } from "./message.ts";
import type { Relay } from "./relay.ts";
import { resolveOptions, type ResolvedOptions, type Start, type StreamOptions } from "./options.ts";
import { nextDelay, parseRetryAfter, resumeVerdict } from "./retry.ts";
import { SseLimitExceeded } from "./sse.ts";
import { sendStop } from "./stop.ts";

/** `unanswered` is the end of a request that is not sent again, of whose answer nothing has come. */
type Outcome =
  | { readonly ended: EndEvent }
  | { readonly lost: { readonly retryAfterMs: number | null }; readonly unanswered?: EndEvent };

const LOST: Outcome = { lost: { retryAfterMs: null } };
const UNREACHABLE = end("failed", failure("unreachable", "the server could not be reached"));
const BROKEN_OFF = end(
  "truncated",
  failure("truncated", "the connection closed before the answer was complete"),
);

/** Iterate it once. Made by `Relay.stream` and `Relay.resume`. */
export class TailraceStream implements AsyncIterable<StreamEvent> {
  /** The relay's name for the stream; null until it is known, and for good where no relay answers. */
  id: string | null;

  /** Number of the last event that was handed out: with `id`, what it takes to go on from here after a restart. */
  cursor: number;

  /** Whether an earlier request with the same idempotency key had begun the answer. */
  joined = false;

  /** How it ended; null while it goes on. */
  ending: Ending | null = null;

  readonly #relay: Relay;
  readonly #body: Record<string, unknown> | null;
  readonly #options: ResolvedOptions;
  readonly #signal: AbortSignal | undefined;

  #iterated = false;

  /** Of the connection that is open or being opened. Aborting it is how everything else interrupts the reading. */
  #connection = new AbortController();

  /** What the stream's `retry:` asked for, over all connections. */
  #streamRetryMs: number | null = null;

  /** When bytes last came, or were first waited for. */
  #heardAt = 0;

  /** Ends the wait between two tries; null while there is none. */
  #endWait: (() => void) | null = null;

  /** The end that an accepted stop allows to assume when the closing events do not come. */
  #assumed: EndEvent | null = null;

  #stopping: Promise<Ending | null> | null = null;

  /** Resolves when the id is known or never will be: a stop that is asked for earlier waits here. */
  readonly #identified: Promise<void>;
  #identify: () => void = () => undefined;

  constructor(relay: Relay, start: Start, options: StreamOptions = {}) {
    this.#relay = relay;
    this.#body = "body" in start ? start.body : null;
    this.id = "id" in start ? start.id : null;
    this.cursor = "id" in start ? start.after : 0;
    this.#signal = options.signal;
    this.#options = resolveOptions(options);
    this.#identified = new Promise((resolve) => (this.#identify = resolve));
    if (this.id !== null) this.#identify();
  }

  [Symbol.asyncIterator](): AsyncGenerator<StreamEvent, void, undefined> {
    if (this.#iterated) throw new TypeError("a stream can be iterated once");
    this.#iterated = true;
    return this.#run();
  }

  /** Reads to the end and returns the words. Throws `TailraceError` unless the answer is complete. */
  async text(): Promise<string> {
    const message = emptyMessage();
    for await (const event of this) {
      fold(message, event);
      if (event.type === "end" && event.error !== null) throw new TailraceError(event.error, event.ending);
    }
    return textOf(message);
  }

  /**
   * Stops the generation and returns how it ended, or null where that could not be learnt. The text so far stays,
   * the closing events still come. May be called at any time, also before the id is known, and again.
   */
  stop(): Promise<Ending | null> {
    return (this.#stopping ??= this.#stop());
  }

  /** The network or the page has come back: do not wait for the next try, and doubt a connection that is silent. */
  wake(): void {
    this.#endWait?.();
    const doubtful = this.#silentMs() > this.#options.idleMs / 3;
    if (this.ending === null && this.id !== null && doubtful) this.#connection.abort();
  }

  readonly #silentMs = (): number => this.#options.now() - this.#heardAt;

  async *#run(): AsyncGenerator<StreamEvent, void, undefined> {
    const onAbort = (): void => {
      this.#connection.abort();
      this.#endWait?.();
    };
    this.#signal?.addEventListener("abort", onAbort);
    try {
      const last = yield* this.#connections();
      this.ending = last.ending;
      yield last;
    } finally {
      this.#signal?.removeEventListener("abort", onAbort);
      this.#connection.abort();
      this.#identify();
    }
  }

  async *#connections(): AsyncGenerator<StreamEvent, EndEvent, undefined> {
    const { policy, now, random } = this.#options;
    let attempt = 0;
    let outageBegan = 0;
    for (;;) {
      const seen = this.cursor;
      const began = now();
      const outcome = yield* this.#connect();
      this.#signal?.throwIfAborted();
      if ("ended" in outcome) return outcome.ended;
      if (this.#assumed !== null) return this.#assumed;
      if (this.cursor > seen || now() - began >= policy.aliveMs) attempt = 0;
      attempt += 1;
      if (this.id === null && (outcome.unanswered === undefined || attempt > policy.resends)) {
        return outcome.unanswered ?? BROKEN_OFF;
      }
      if (attempt === 1) outageBegan = now();
      const outageMs = now() - outageBegan;
      const loss = { attempt, outageMs, streamRetryMs: this.#streamRetryMs, ...outcome.lost };
      const delayMs = nextDelay(policy, loss, random());
      if (delayMs === null) {
        if (outcome.unanswered !== undefined) return outcome.unanswered;
        const message = "the connection was lost and could not be taken up again";
        return end("interrupted", failure("unreachable", message, { resumable: true }));
      }
      yield { type: "reconnecting", attempt, delayMs };
      await this.#wait(delayMs);
      this.#signal?.throwIfAborted();
    }
  }

  /** One connection, from the request to its loss or to the end of the stream. */
  async *#connect(): AsyncGenerator<StreamEvent, Outcome, undefined> {
    const connection = (this.#connection = new AbortController());
    if (this.#signal?.aborted) connection.abort();
    const idle = setInterval(() => {
      if (this.#silentMs() > this.#options.idleMs) connection.abort();
    }, this.#options.idleMs / 4);
    this.#heardAt = this.#options.now();
    try {
      const response = await this.#request(connection.signal).catch(() => null);
      if (response === null) return { ...LOST, unanswered: UNREACHABLE };
      const outcome = await this.#refusal(response);
      if (outcome !== null) return outcome;
      yield { type: "open", streamId: this.id, resumed: this.#body === null || this.cursor > 0 };
      return yield* this.#read(response);
    } finally {
      clearInterval(idle);
      connection.abort();
    }
  }

  #request(signal: AbortSignal): Promise<Response> {
    if (this.id === null) {
      return this.#relay.fetch("v1/messages", {
        method: "POST",
        headers: {
          "content-type": "application/json",
          accept: "text/event-stream",
          ...this.#options.wishes,
        },
        body: JSON.stringify({ ...this.#body, stream: true }),
        signal,
      });
    }
    const headers: Record<string, string> = { accept: "text/event-stream" };
    if (this.cursor > 0) headers["last-event-id"] = String(this.cursor);
    return this.#relay.fetch(`streams/${encodeURIComponent(this.id)}`, {
      headers,
      cache: "no-store",
      signal,
    });
  }

  /** Returns what an answer means that is no stream; null for one that is. */
  async #refusal(response: Response): Promise<Outcome | null> {
    const retryAfterMs = parseRetryAfter(response.headers.get("retry-after"), Date.now());
    if (this.id === null) {
      if (!response.ok) {
        const ended = await this.#relay.readFailure(response);
        // A relay that is full, or going away, says when to come again, before any work has begun.
        const soon =
          response.status === 503 && retryAfterMs !== null && retryAfterMs <= this.#options.policy.capMs;
        if (soon) return { lost: { retryAfterMs }, unanswered: ended };
        this.id = response.headers.get("tailrace-stream-id") || null;
        return { ended };
      }
      this.id = response.headers.get("tailrace-stream-id") || null;
      this.joined = response.headers.get("idempotent-replayed") === "true";
      this.#identify();
    } else {
      switch (resumeVerdict(response.status)) {
        case "stream":
          break;
        case "drained":
          return this.#drained();
        case "later":
          return { lost: { retryAfterMs } };
        case "gone":
          return { ended: end("interrupted", failure("not_found", "the relay no longer has this stream")) };
        case "misplaced":
          return { ended: await this.#misplaced(response) };
        case "refused":
          return { ended: await this.#relay.readFailure(response) };
      }
    }
    const type = response.headers.get("content-type") ?? "";
    if (response.body !== null && /^text\/event-stream\b/i.test(type)) return null;
    return {
      ended: end("failed", failure("protocol", `an answer of type "${type}" is not an event stream`)),
    };
  }

  async #misplaced(response: Response): Promise<EndEvent> {
    const { error } = await this.#relay.readFailure(response);
    const message = "the relay no longer has the place in this stream that was read up to";
    return end("interrupted", failure("conflict", message, { code: error?.code ?? null, status: 410 }));
  }

  /** Everything was read but no closing event was among it: the message knows how it ended. */
  async #drained(): Promise<Outcome> {
    const message = await this.#relay.message(this.id ?? "").catch((error: unknown) => {
      if (error instanceof TailraceError) return null;
      throw error;
    });
    if (message === null) return { ended: endOf("interrupted") };
    return message.ending === null ? LOST : { ended: endOf(message.ending) };
  }

  async *#read(response: Response): AsyncGenerator<StreamEvent, Outcome, undefined> {
    const frames = readFrames(response, {
      after: this.id === null ? null : this.cursor,
      heard: () => (this.#heardAt = this.#options.now()),
      retry: (ms) => (this.#streamRetryMs = ms),
    });
    try {
      for await (const { number, events } of frames) {
        this.#signal?.throwIfAborted();
        for (const event of events.slice(0, -1)) yield event;
        // With the last event of a frame, so that whoever keeps (text, cursor) keeps a pair that fits.
        if (number !== null) this.cursor = number;
        const last = events.at(-1);
        if (last?.type === "end") return { ended: last };
        if (last !== undefined) yield last;
      }
      return LOST;
    } catch (error) {
      if (!(error instanceof BadEvent || error instanceof SseLimitExceeded)) throw error;
      return { ended: end("failed", failure("protocol", error.message)) };
    }
  }

  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const finish = (): void => {
        clearTimeout(timer);
        this.#endWait = null;
        resolve();
      };
      const timer = setTimeout(finish, ms);
      this.#endWait = finish;
    });
  }

  async #stop(): Promise<Ending | null> {
    await this.#identified;
    const over = (): boolean => this.ending !== null;
    if (over() || this.id === null) return this.ending;
    const ending = await sendStop(this.#relay, this.id, this.#options, over);
    if (over() || ending === null) return this.ending;
    // The relay is done with it. Let the closing events (usage among them) come, but do not depend on it; except when
    // the answer was complete before the stop: then assuming that would pass off an incomplete text as the whole.
    this.#endWait?.();
    if (ending === "completed") return ending;
    setTimeout(() => {
      this.#assumed = endOf(ending);
      this.#connection.abort();
      this.#endWait?.();
    }, this.#options.stopGraceMs);
    return ending;
  }
}
