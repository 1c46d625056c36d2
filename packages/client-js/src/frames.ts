/** The numbered frames of one connection: bytes to events, nothing twice, nothing left out. */

import { BadEvent, decodeAnthropic } from "./anthropic.ts";
import type { StreamEvent } from "./events.ts";
import { isRecord } from "./failure.ts";
import { SseParser, type ServerSentEvent } from "./sse.ts";

/** One wire event. `number` is null where the stream has no numbers; a ping has no `events`. */
export interface Frame {
  readonly number: number | null;
  readonly events: readonly StreamEvent[];
}

export interface FrameOptions {
  /** The last number that was seen on earlier connections; null when nobody numbers this stream. */
  readonly after: number | null;
  /** Bytes have come. */
  readonly heard: () => void;
  /** The stream asks for this many milliseconds before a reconnection. */
  readonly retry: (ms: number) => void;
}

/** Yields the frames until the connection is lost or closed; which of the two it was tells nothing, see rule 2 of
 * `stream.ts`. Throws `BadEvent` and `SseLimitExceeded`. */
export async function* readFrames(
  response: Response,
  options: FrameOptions,
): AsyncGenerator<Frame, void, undefined> {
  const { after } = options;
  const parser = new SseParser({ lastEventId: after === null ? "" : String(after) });
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  let cursor = after ?? 0;
  for (;;) {
    const part = await reader.read().catch(() => null);
    if (part === null || part.done) return;
    options.heard();
    for (const wire of parser.feed(part.value)) {
      const number = after !== null && /^[0-9]{1,15}$/.test(wire.id) ? Number(wire.id) : null;
      if (number !== null) {
        if (number <= cursor) continue; // seen before, or a heartbeat, which has no number of its own
        if (number > cursor + 1) throw new BadEvent(`event ${cursor + 1} is missing`);
        cursor = number;
      }
      yield { number, events: wire.type === RESET ? [reset(wire)] : decodeAnthropic(wire) };
    }
    if (parser.retry !== null) options.retry(parser.retry);
  }
}

/** The relay's own event, in every dialect whose client asked for restarts. */
const RESET = "tailrace.reset";

function reset({ data }: ServerSentEvent): StreamEvent {
  let said: unknown;
  try {
    said = JSON.parse(data);
  } catch {
    throw new BadEvent(`the data of ${RESET} is not JSON`);
  }
  const reason = isRecord(said) && typeof said["reason"] === "string" ? said["reason"] : "";
  return { type: "reset", reason };
}
