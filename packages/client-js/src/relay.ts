/** A relay, by its address: everything a page or a script asks of it. */

import type { EndEvent, Ending } from "./events.ts";
import { failure, isRecord, readError, TailraceError } from "./failure.ts";
import type { StreamOptions } from "./options.ts";
import { parseRetryAfter } from "./retry.ts";
import { TailraceStream } from "./stream.ts";

export interface RelayOptions {
  /** Where the relay is mounted. Default: the page's own address. */
  baseUrl?: string | URL;
  /** Sent with every request: `authorization`, say. */
  headers?: Record<string, string>;
  /** A view token (see `share`): reads one stream, or stops it as well, without the key. */
  token?: string;
  fetch?: typeof globalThis.fetch;
}

/** Body of `POST /v1/messages`, as far as this package looks at it; every other field goes through as it is. */
export interface MessagesRequest {
  model: string;
  max_tokens: number;
  messages: ReadonlyArray<{ role: "user" | "assistant"; content: unknown }>;
  [field: string]: unknown;
}

export interface ModelInfo {
  readonly id: string;
  readonly owned_by: string;
  readonly tailrace?: { readonly dialect?: string; readonly simulated?: boolean; readonly local?: boolean };
}

export interface StreamInfo {
  readonly id: string;
  readonly model: string;
  readonly dialect: string;
  /** `stopping`: another node writes it, which was told to stop and has not yet said that it did. */
  readonly state: "live" | "stopping" | "ended";
  readonly ending: Ending | null;
  readonly created: number;
}

/** Opens one stream for a while. `expires` in Unix seconds. */
export interface ViewToken {
  readonly token: string;
  readonly stream: string;
  readonly scope: "read" | "stop";
  readonly expires: number;
}

/** A stream's state and the message so far, as the relay folds it. */
export interface StreamMessage {
  readonly id: string;
  readonly ending: Ending | null;
  readonly message: unknown;
}

export class Relay {
  readonly #base: URL;
  readonly #headers: Record<string, string>;
  readonly #fetch: typeof globalThis.fetch;

  constructor(options: RelayOptions = {}) {
    this.#base = new URL(options.baseUrl ?? document.baseURI);
    this.#base.search = this.#base.hash = "";
    // A mount point written without its slash would lose its last part when paths are resolved against it.
    if (options.baseUrl !== undefined && !this.#base.pathname.endsWith("/")) this.#base.pathname += "/";
    this.#headers = {
      ...options.headers,
      ...(options.token !== undefined && { authorization: `Bearer ${options.token}` }),
    };
    this.#fetch = options.fetch ?? ((input, init) => globalThis.fetch(input, init));
  }

  /** Asks for an answer. Nothing is sent before the stream is iterated. */
  stream(body: MessagesRequest, options?: StreamOptions): TailraceStream {
    return new TailraceStream(this, { body }, options);
  }

  /** Takes up a stream that exists, after event number `after` (0: from its beginning). */
  resume(id: string, after = 0, options?: StreamOptions): TailraceStream {
    return new TailraceStream(this, { id, after }, options);
  }

  async models(): Promise<readonly ModelInfo[]> {
    return (await this.#json("v1/models"))["data"] as ModelInfo[];
  }

  /** The caller's own streams. */
  async streams(): Promise<readonly StreamInfo[]> {
    return (await this.#json("streams"))["data"] as StreamInfo[];
  }

  async message(id: string): Promise<StreamMessage> {
    return (await this.#json(`streams/${encodeURIComponent(id)}/message`)) as unknown as StreamMessage;
  }

  /** Stops a generation; again is harmless. */
  async stop(id: string): Promise<Pick<StreamInfo, "id" | "state" | "ending">> {
    const answer = await this.#json(`streams/${encodeURIComponent(id)}/stop`, { method: "POST" });
    return answer as unknown as StreamInfo;
  }

  /** Returns a token with which a page without the key may read the stream, or stop it as well, for so long. */
  async share(
    id: string,
    { seconds = 300, scope = "read" }: { seconds?: number; scope?: "read" | "stop" } = {},
  ): Promise<ViewToken> {
    const answer = await this.#json(`streams/${encodeURIComponent(id)}/tokens`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ seconds, scope }),
    });
    return answer as unknown as ViewToken;
  }

  /** `fetch` of a path below the base, with the relay's headers. */
  fetch(path: string, init: RequestInit & { headers?: Record<string, string> } = {}): Promise<Response> {
    return this.#fetch(new URL(path, this.#base), {
      ...init,
      headers: { ...this.#headers, ...init.headers },
    });
  }

  /** Reads an error answer. */
  async readFailure(response: Response): Promise<EndEvent> {
    const body: unknown = await response.json().catch(() => null);
    const retryAfterMs = parseRetryAfter(response.headers.get("retry-after"), Date.now());
    return readError(body, response.status, retryAfterMs);
  }

  async #json(path: string, init: RequestInit & { headers?: Record<string, string> } = {}) {
    let response: Response;
    try {
      response = await this.fetch(path, { cache: "no-store", ...init });
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      throw new TailraceError(failure("unreachable", "the server could not be reached"));
    }
    if (!response.ok) {
      const { error, ending } = await this.readFailure(response);
      throw new TailraceError(error ?? failure("upstream", `the server answered ${response.status}`), ending);
    }
    const value: unknown = await response.json().catch(() => null);
    if (!isRecord(value)) throw new TailraceError(failure("protocol", `${path} did not answer with JSON`));
    return value;
  }
}
