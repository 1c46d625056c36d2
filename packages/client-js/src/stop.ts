/** Telling the relay to stop, also over a bad line. */

import type { Ending } from "./events.ts";
import { TailraceError } from "./failure.ts";
import type { ResolvedOptions } from "./options.ts";
import type { Relay } from "./relay.ts";
import { nextDelay } from "./retry.ts";

/** Returns how the generation ended; null when the relay refused, could not be reached, or `over` became true.
 *
 * A node that does not write the stream itself may answer `stopping`. That is no ending: it is asked again. */
export async function sendStop(
  relay: Relay,
  id: string,
  { policy, random, now }: ResolvedOptions,
  over: () => boolean,
): Promise<Ending | null> {
  const began = now();
  for (let attempt = 1; !over(); attempt += 1) {
    let retryAfterMs: number | null = null;
    try {
      const { state, ending } = await relay.stop(id);
      if (state !== "stopping") return ending ?? "cancelled";
    } catch (error) {
      if (!(error instanceof TailraceError)) throw error;
      if (!error.failure.retryable) return null;
      ({ retryAfterMs } = error.failure);
    }
    const loss = { attempt, outageMs: now() - began, retryAfterMs, streamRetryMs: null };
    const delay = nextDelay(policy, loss, random());
    if (delay === null) return null;
    await new Promise((resolve) => setTimeout(resolve, delay));
  }
  return null;
}
