/** Telling the relay to stop, also over a bad line. */

import type { Ending } from "./events.ts";
import { TailraceError } from "./failure.ts";
import type { ResolvedOptions } from "./options.ts";
import type { Relay } from "./relay.ts";
import { nextDelay } from "./retry.ts";

/** Returns how the generation ended; null when the relay refused, could not be reached, or `over` became true. */
export async function sendStop(
  relay: Relay,
  id: string,
  { policy, random, now }: ResolvedOptions,
  over: () => boolean,
): Promise<Ending | null> {
  const began = now();
  for (let attempt = 1; !over(); attempt += 1) {
    try {
      return (await relay.stop(id)).ending ?? "cancelled";
    } catch (error) {
      if (!(error instanceof TailraceError)) throw error;
      const { retryable, retryAfterMs } = error.failure;
      const loss = { attempt, outageMs: now() - began, retryAfterMs, streamRetryMs: null };
      const delay = retryable ? nextDelay(policy, loss, random()) : null;
      if (delay === null) return null;
      await new Promise((resolve) => setTimeout(resolve, delay));
    }
  }
  return null;
}
