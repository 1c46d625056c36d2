/** One answer being written: its stream on one side, its data on the other, and the reader's Stop. */

import type { MessagesRequest, Relay, StreamFailure, TailraceStream } from "@tailrace/client";

import { apply, isLive, type Answer } from "./chat.ts";

export interface GenerationEvents {
  /** The answer's data has changed. */
  changed(): void;
  /** The connection is being tried again for the nth time; null: it delivers. */
  link(attempt: number | null): void;
  /** Nothing more comes. */
  ended(): void;
}

export class Generation {
  readonly answer: Answer;
  readonly #relay: Relay;
  readonly #events: GenerationEvents;
  readonly #abort = new AbortController();
  #stream: TailraceStream | null = null;

  constructor(relay: Relay, answer: Answer, events: GenerationEvents) {
    this.#relay = relay;
    this.answer = answer;
    this.#events = events;
  }

  /** Asks for the answer. */
  ask(request: MessagesRequest): Promise<void> {
    return this.#read(this.#relay.stream(request, { signal: this.#abort.signal }));
  }

  /** Goes on with the answer after a reload, or after the connection was given up. `known`: ids of other answers. */
  async resume(known: ReadonlySet<string>): Promise<void> {
    this.answer.timing.broken = true;
    const id = this.answer.streamId ?? (await this.#locate(known));
    if (id === null) {
      this.#fail("The page was reloaded before the relay had named the answer.");
      return;
    }
    await this.#read(this.#relay.resume(id, this.answer.cursor, { signal: this.#abort.signal }));
  }

  /** Ends the answer here and now. Nothing is added to its text after this, whatever still arrives. */
  stop(): void {
    if (!isLive(this.answer)) return;
    this.answer.stopped = true;
    this.#sendStop();
    this.#events.changed();
  }

  /** The page is visible, or the network there, again. */
  wake(): void {
    this.#stream?.wake();
  }

  async #read(stream: TailraceStream): Promise<void> {
    this.#stream = stream;
    if (this.answer.stopped) this.#sendStop();
    try {
      for await (const event of stream) {
        if (event.type === "end" && event.error?.kind === "unreachable") await leavingPause();
        apply(this.answer, event, Date.now());
        this.answer.streamId ??= stream.id;
        this.answer.cursor = stream.cursor;
        if (event.type === "reconnecting") this.#events.link(event.attempt);
        if (event.type === "open") this.#events.link(null);
        this.#events.changed();
      }
    } catch (error) {
      if (!this.#abort.signal.aborted) throw error;
    }
    this.answer.ending ??= "cancelled"; // left by `#sendStop`, the only one who aborts
    this.#events.ended();
  }

  #sendStop(): void {
    const stream = this.#stream;
    if (stream === null) return; // `#read` will
    void stream.stop().then((ending) => {
      // The relay could not be told. Leaving is all that remains: without a reader its grace ends the answer.
      if (ending === null && this.answer.ending === null) this.#abort.abort();
    });
  }

  /** Finds the stream of a request whose response was lost with the page: the only one that began when it was sent. */
  async #locate(known: ReadonlySet<string>): Promise<string | null> {
    const { sentAt } = this.answer.timing;
    const streams = await this.#relay.streams().catch(() => []);
    const candidates = streams.filter(({ id, dialect, created }) => {
      const after = created * 1000 - sentAt;
      return dialect === "anthropic" && !known.has(id) && after > -CLOCK_MS && after < HEAD_MS;
    });
    return candidates.length === 1 ? (candidates[0]?.id ?? null) : null;
  }

  #fail(message: string): void {
    const error: StreamFailure = {
      kind: "interrupted",
      message,
      code: null,
      status: null,
      retryable: true,
      retryAfterMs: null,
      resumable: false,
    };
    this.answer.ending = this.answer.stopped ? "cancelled" : "interrupted";
    this.answer.error = error;
    this.#events.changed();
    this.#events.ended();
  }
}

/** How far the clocks of relay and browser may be apart; on one machine they are the same. */
const CLOCK_MS = 2_000;
/** How long after sending a relay may begin the stream. */
const HEAD_MS = 15_000;

/** A page that is going away fails its requests first. What fails in its last moments must not be kept as the answer's
 * end: the page that comes after it goes on. A page that is gone does not come back from this pause. */
function leavingPause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, LEAVING_MS));
}

const LEAVING_MS = 300;
