/** What a reader may choose, and what it gets when it does not. */

import { RECONNECT, type ReconnectPolicy } from "./retry.ts";

/** What a disconnect does, in place of the route's own policy. `cancel` ends the answer unless a reader comes back
 * within `seconds`, `detach` finishes it into the relay's log, `drain` lets it go on within a budget. Whole numbers. */
export type OnDisconnect =
  | "cancel"
  | "detach"
  | "drain"
  | { readonly policy: "cancel"; readonly seconds: number }
  | { readonly policy: "drain"; readonly seconds?: number; readonly tokens?: number };

export interface StreamOptions {
  /** Two requests with the same key are one answer and one bill: the later one joins. Default: one of its own for each
   * stream, which makes it safe to send the request again when no answer came. Only of new requests, as the next two. */
  idempotencyKey?: string;
  onDisconnect?: OnDisconnect;
  /** Accept that the relay begins the answer anew in the middle, where another provider can give it: see `reset`. */
  restarts?: boolean;
  /** Ends this reader, not the generation. */
  signal?: AbortSignal;
  policy?: ReconnectPolicy;
  /** Silence after which a connection counts as lost. Default 60 s: a relay's heartbeats come every 15 s or faster. */
  idleMs?: number;
  /** How long after an accepted stop the closing events may still take. Default 2 s: a relay needs 250 ms. */
  stopGraceMs?: number;
  /** In [0, 1). */
  random?: () => number;
  /** Milliseconds, from any origin. */
  now?: () => number;
}

/** A new request, or a stream that exists already and the number of its last event that was seen. */
export type Start =
  { readonly body: Record<string, unknown> } | { readonly id: string; readonly after: number };

export type ResolvedOptions = Required<Omit<StreamOptions, "signal" | "onDisconnect" | "restarts">> & {
  /** Headers of the request for the answer. */
  readonly wishes: Readonly<Record<string, string>>;
};

export function resolveOptions(options: StreamOptions): ResolvedOptions {
  const idempotencyKey = options.idempotencyKey ?? freshKey();
  const wishes: Record<string, string> = { "idempotency-key": idempotencyKey };
  if (options.onDisconnect !== undefined) wishes["tailrace-on-disconnect"] = written(options.onDisconnect);
  if (options.restarts) wishes["tailrace-restart"] = "accept";
  return {
    idempotencyKey,
    wishes,
    policy: options.policy ?? RECONNECT,
    idleMs: options.idleMs ?? 60_000,
    stopGraceMs: options.stopGraceMs ?? 2_000,
    random: options.random ?? Math.random,
    now: options.now ?? (() => performance.now()),
  };
}

/** Returns a key that nobody else has. Not `crypto.randomUUID`, which pages served over plain HTTP do not have. */
export function freshKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function written(wish: OnDisconnect): string {
  if (typeof wish === "string") return wish;
  const { policy, ...numbers } = wish;
  const given = Object.entries(numbers).filter(([, value]) => value !== undefined);
  return [policy, ...given.map(([name, value]) => `${name}=${value}`)].join("; ");
}
