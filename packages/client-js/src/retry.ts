/** When to try again, as pure functions: no clock, no randomness, no timer of their own. */

/** The numbers of a reconnection. All times in milliseconds. */
export interface ReconnectPolicy {
  /** Ceiling of the first wait; doubles with each try. The stream's own `retry:` takes its place. */
  readonly baseMs: number;
  /** Ceiling of any wait. A relay's grace before it cancels an abandoned answer is 30 s by default: several tries
   * must fit in. */
  readonly capMs: number;
  /** An outage of this length is the end. Longer than a tunnel or a change from Wi-Fi to mobile. */
  readonly giveUpAfterMs: number;
  /** Most tries in one outage, should the clock stand still. */
  readonly maxTries: number;
  /** How often a request is sent again of whose answer nothing has come. */
  readonly resends: number;
  /** A connection that lived this long was no failure, even when it brought nothing new: a proxy cut it while the
   * model was thinking. */
  readonly aliveMs: number;
}

export const RECONNECT: ReconnectPolicy = {
  baseMs: 250,
  capMs: 4_000,
  giveUpAfterMs: 90_000,
  maxTries: 60,
  resends: 2,
  aliveMs: 5_000,
};

/** What is known when a connection was lost. */
export interface Loss {
  /** 1 for the first try of this outage. */
  readonly attempt: number;
  /** Since the outage began. */
  readonly outageMs: number;
  /** What the last answer's `Retry-After` asked for. */
  readonly retryAfterMs: number | null;
  /** What the stream's `retry:` field asked for. */
  readonly streamRetryMs: number | null;
}

/** Returns how long to wait before the next try, or null to give up. `random` is in [0, 1). */
export function nextDelay(policy: ReconnectPolicy, loss: Loss, random: number): number | null {
  if (loss.attempt > policy.maxTries || loss.outageMs >= policy.giveUpAfterMs) return null;
  const base = loss.streamRetryMs ?? policy.baseMs;
  const ceiling = Math.min(policy.capMs, base * 2 ** (loss.attempt - 1));
  // Half fixed, half random: readers that a restart cut off together do not come back together.
  const delay = Math.round(ceiling / 2 + (ceiling / 2) * random);
  const wanted = Math.max(delay, loss.retryAfterMs ?? 0);
  return loss.outageMs + wanted > policy.giveUpAfterMs ? null : wanted;
}

/** What the status of `GET /streams/{id}` means. */
export type ResumeVerdict =
  | "stream" // the rest follows
  | "drained" // there is nothing after the cursor, and there will not be
  | "gone" // unknown, forgotten, or somebody else's: the answer is the same
  | "misplaced" // the stream is there, the place in it is not: its events were trimmed, or lost
  | "later" // a passing trouble
  | "refused"; // asking again will not help

export function resumeVerdict(status: number): ResumeVerdict {
  if (status === 200) return "stream";
  if (status === 204) return "drained";
  if (status === 404) return "gone";
  if (status === 410) return "misplaced";
  if (status === 408 || status === 425 || status === 429 || status >= 500) return "later";
  return "refused";
}

/** Reads a `Retry-After` value, seconds or a date (RFC 9110, 10.2.3), into milliseconds; null when there is none. */
export function parseRetryAfter(value: string | null, nowMs: number): number | null {
  if (value === null) return null;
  if (/^\s*[0-9]{1,9}(\.[0-9]{1,9})?\s*$/.test(value)) return Math.round(Number(value) * 1000);
  // Date.parse alone would find a year in nearly anything ("-1" is 2001).
  const date = /^[A-Z][a-z]{2,8}, /.test(value) ? Date.parse(value) : NaN;
  return Number.isNaN(date) ? null : Math.max(0, date - nowMs);
}
