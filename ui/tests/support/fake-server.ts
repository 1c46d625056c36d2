/** A relay behind a fake `fetch`: the test pushes events, cuts connections, and looks at what was asked. */

import { Relay } from "@tailrace/client";

type Controller = ReadableStreamDefaultController<Uint8Array>;

export class FakeServer {
  readonly id = "st_fake";
  readonly asked: Array<{
    method: string;
    path: string;
    cursor: string | null;
    key: string | null;
    body: string;
  }> = [];
  /** Answers to `POST /v1/messages` that are no stream, used up first. */
  refusals: Array<() => Response | Promise<Response>> = [];
  /** Answers to `GET /streams/{id}` with this status and no stream, while it is not null. */
  resumeStatus: number | null = null;
  /** Holds back the head of the next answer until the test calls `release`. */
  holdHead = false;
  release: () => void = () => undefined;

  #page: object = {};
  readonly #log: string[] = [];
  readonly #readers = new Set<Controller>();
  #ended = false;

  /** A relay as the page that is loaded now sees it. Pages before it are gone: they hear and ask nothing any more. */
  forNewPage(): Relay {
    const page = (this.#page = {});
    this.#readers.clear();
    const fetch: typeof globalThis.fetch = (input, init) =>
      page === this.#page ? this.#answer(String(input), init) : new Promise(() => undefined);
    return new Relay({ baseUrl: "http://relay.test/", fetch });
  }

  push(...events: Array<Record<string, unknown>>): void {
    for (const event of events) {
      const wire = `id: ${this.#log.length + 1}\nevent: ${String(event["type"])}\ndata: ${JSON.stringify(event)}\n\n`;
      this.#log.push(wire);
      for (const reader of this.#readers) reader.enqueue(new TextEncoder().encode(wire));
    }
  }

  /** Pushes text, one delta for each word. */
  say(text: string): void {
    for (const word of text.match(/\s*\S+\s*$|\s*\S+/g) ?? []) {
      this.push({ type: "content_block_delta", index: 0, delta: { type: "text_delta", text: word } });
    }
  }

  begin(): void {
    const usage = { input_tokens: 5, output_tokens: 1 };
    this.push(
      { type: "message_start", message: { id: "m", model: "sim-1", usage } },
      { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } },
    );
  }

  complete(): void {
    this.push(
      { type: "content_block_stop", index: 0 },
      { type: "message_delta", delta: { stop_reason: "end_turn" }, usage: { output_tokens: 9 } },
      { type: "message_stop" },
    );
    this.close();
  }

  close(): void {
    this.#ended = true;
    for (const reader of this.#readers) reader.close();
    this.#readers.clear();
  }

  cut(): void {
    for (const reader of this.#readers) reader.error(new TypeError("network error"));
    this.#readers.clear();
  }

  paths(): string[] {
    return this.asked.map(({ method, path }) => `${method} ${path}`);
  }

  async #answer(url: string, init: RequestInit = {}): Promise<Response> {
    const path = new URL(url).pathname;
    const method = init.method ?? "GET";
    const headers = new Headers(init.headers);
    const [cursor, key] = ["last-event-id", "idempotency-key"].map((name) => headers.get(name)) as [
      string | null,
      string | null,
    ];
    this.asked.push({ method, path, cursor, key, body: typeof init.body === "string" ? init.body : "" });
    if (path === "/v1/models") return Response.json({ data: MODELS });
    if (path.endsWith("/stop")) return Response.json({ id: this.id, ending: "cancelled" });
    if (method === "POST") {
      const refusal = this.refusals.shift();
      if (refusal !== undefined) return refusal();
      const page = this.#page;
      if (this.holdHead) await new Promise<void>((resolve) => (this.release = resolve));
      if (page !== this.#page) return new Promise(() => undefined);
    } else if (this.resumeStatus !== null) {
      return new Response(null, { status: this.resumeStatus });
    }
    return this.#stream(Number(cursor ?? 0));
  }

  #stream(after: number): Response {
    let own: Controller;
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        own = controller;
        for (const wire of this.#log.slice(after)) controller.enqueue(new TextEncoder().encode(wire));
        if (this.#ended) controller.close();
        else this.#readers.add(controller);
      },
      cancel: () => void this.#readers.delete(own),
    });
    const headers = { "content-type": "text/event-stream", "tailrace-stream-id": this.id };
    return new Response(body, { headers });
  }
}

const MODELS = [
  { id: "sim/one", owned_by: "sim", tailrace: { dialect: "anthropic", simulated: true, local: false } },
  { id: "demo/tiny", owned_by: "demo", tailrace: { dialect: "anthropic", simulated: false, local: true } },
  { id: "far/large", owned_by: "far", tailrace: { dialect: "openai_chat", simulated: false, local: false } },
];
