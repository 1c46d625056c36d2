/** A relay in a few lines, for tests: a log of numbered frames over real sockets, cut where the test says. */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface Connection {
  /** Frames to send, counted from the first one after the reader's cursor; default: all. */
  readonly frames?: number;
  /** Bytes of the frame after those to send as well, before the socket is destroyed. */
  readonly bytes?: number;
  /** What to do after them: break the socket, close it properly, or leave it open and silent. `drop`: break it before
   * a byte of an answer was sent. */
  readonly then?: "reset" | "close" | "hang" | "drop";
  /** Answer with this status and no stream. */
  readonly status?: number;
  readonly headers?: Record<string, string>;
  readonly body?: string;
  /** Send every frame again from the log's beginning, whatever the cursor. */
  readonly repeat?: boolean;
  /** Written before the frames. */
  readonly preamble?: string;
  /** Hold the answer's head back until this resolves. */
  readonly until?: Promise<void>;
}

export interface Seen {
  readonly method: string;
  readonly url: string;
  readonly lastEventId: string | undefined;
  readonly body: string;
  readonly headers: IncomingMessage["headers"];
}

export class FakeRelay {
  readonly id = "st_1";
  readonly seen: Seen[] = [];
  readonly frames: string[];
  /** One entry per stream connection, in order; the last one serves all that follow. */
  readonly script: Connection[];
  stopAnswers: Array<{ status: number; body: unknown }> = [];
  /** Frames appended to the log when a stop comes. */
  onStop: string[] = [];
  message: { status: number; body: unknown } = { status: 404, body: {} };

  #server!: Server;
  #opened = 0;
  #hanging: Array<{ response: ServerResponse; sent: number }> = [];

  constructor(events: ReadonlyArray<Record<string, unknown>>, script: Connection[]) {
    this.frames = events.map((event) => frame(event));
    this.script = script;
  }

  async start(): Promise<this> {
    this.#server = createServer((request, response) => void this.#serve(request, response));
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return this;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve)); // closing twice is harmless
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = "";
    for await (const part of request) body += String(part);
    const { method = "", url = "" } = request;
    const lastEventId = request.headers["last-event-id"] as string | undefined;
    this.seen.push({ method, url, lastEventId, body, headers: request.headers });
    if (url === `/streams/${this.id}/stop`) return this.#stop(response);
    if (url === `/streams/${this.id}/message`) return json(response, this.message.status, this.message.body);
    const plan = this.script[Math.min(this.#opened, this.script.length - 1)] ?? {};
    this.#opened += 1;
    await plan.until;
    if (plan.then === "drop") {
      request.socket.destroy();
      return;
    }
    if (plan.status !== undefined) {
      response.writeHead(plan.status, { "content-type": "application/json", ...plan.headers });
      response.end(plan.body);
      return;
    }
    const after = plan.repeat ? 0 : Number(lastEventId ?? 0);
    response.writeHead(200, {
      "content-type": "text/event-stream",
      "tailrace-stream-id": this.id,
      ...plan.headers,
    });
    response.flushHeaders();
    if (plan.preamble !== undefined) response.write(plan.preamble);
    const until = Math.min(this.frames.length, after + (plan.frames ?? this.frames.length));
    for (let number = after + 1; number <= until; number += 1) response.write(this.#numbered(number));
    if (plan.bytes !== undefined) response.write(this.#numbered(until + 1).slice(0, plan.bytes));
    if (plan.then === "hang") this.#hanging.push({ response, sent: until });
    else if (plan.then === "reset") setImmediate(() => response.destroy());
    else response.end();
  }

  #numbered(number: number): string {
    return `id: ${number}\n${this.frames[number - 1] ?? ""}`;
  }

  #stop(response: ServerResponse): void {
    const answer = this.stopAnswers.shift() ?? { status: 200, body: { id: this.id, ending: "cancelled" } };
    const stopping = (answer.body as { state?: string }).state === "stopping"; // not here, and not yet
    if (answer.status === 200 && !stopping) {
      this.frames.push(...this.onStop);
      for (const reader of this.#hanging) {
        for (let n = reader.sent + 1; n <= this.frames.length; n += 1)
          reader.response.write(this.#numbered(n));
        reader.sent = this.frames.length;
      }
    }
    json(response, answer.status, answer.body);
  }
}

function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(body));
}

/** One event as the Anthropic door writes it. */
export function frame(event: Record<string, unknown>): string {
  return `event: ${String(event["type"])}\ndata: ${JSON.stringify(event)}\n\n`;
}

/** The events of a whole answer that says `words`, one delta each. */
export function answer(words: readonly string[]): Array<Record<string, unknown>> {
  const usage = { input_tokens: 7, output_tokens: 1 };
  return [
    {
      type: "message_start",
      message: { id: "msg_1", model: "sim-1", role: "assistant", content: [], usage },
    },
    { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } },
    ...words.map((text) => ({ type: "content_block_delta", index: 0, delta: { type: "text_delta", text } })),
    { type: "content_block_stop", index: 0 },
    {
      type: "message_delta",
      delta: { stop_reason: "end_turn", stop_sequence: null },
      usage: { output_tokens: words.length },
    },
    { type: "message_stop" },
  ];
}
