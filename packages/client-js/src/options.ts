/** What a reader may choose, and what it gets when it does not. */

import { RECONNECT, type ReconnectPolicy } from "./retry.ts";

export interface StreamOptions {
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

export type ResolvedOptions = Required<Omit<StreamOptions, "signal">>;

export function resolveOptions(options: StreamOptions): ResolvedOptions {
  return {
    policy: options.policy ?? RECONNECT,
    idleMs: options.idleMs ?? 60_000,
    stopGraceMs: options.stopGraceMs ?? 2_000,
    random: options.random ?? Math.random,
    now: options.now ?? (() => performance.now()),
  };
}
