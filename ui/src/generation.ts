/** One answer being written: its stream on one side, its data on the other, and the reader's Stop. */

import type { Relay, StreamFailure, TailraceStream } from "@tailrace/client";

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
  async ask(): Promise<void> {
    const { asked } = this.answer;
    if (asked === null) throw new TypeError("the answer was asked for already");
    const options = { signal: this.#abort.signal, idempotencyKey: asked.key };
    await this.#read(this.#relay.stream(asked.request, options));
  }

  /** Goes on with the answer after a reload, or after the connection was given up. */
  async resume(): Promise<void> {
    const { answer } = this;
    answer.timing.broken = true;
    if (answer.streamId !== null) {
      await this.#read(this.#relay.resume(answer.streamId, answer.cursor, { signal: this.#abort.signal }));
    } else if (Date.now() - answer.timing.sentAt < JOIN_MS) {
      await this.ask();
    } else {
      this.#fail("The page was reloaded before the relay had named the answer.");
    }
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

/** How long after the question asking it again joins its answer for certain: a relay keeps a key as long as the
 * stream, five minutes after its end. Later the same request would be a new answer, which nobody has asked for. */
const JOIN_MS = 240_000;

/** A page that is going away fails its requests first. What fails in its last moments must not be kept as the answer's
 * end: the page that comes after it goes on. A page that is gone does not come back from this pause. */
function leavingPause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, LEAVING_MS));
}

const LEAVING_MS = 300;
