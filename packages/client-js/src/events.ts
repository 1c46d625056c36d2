/** What a stream says, one plain value at a time: the words of Tailrace's own event vocabulary. */

/** How a generation ended. Only `completed` is a success. */
export type Ending = "completed" | "cancelled" | "failed" | "timed_out" | "truncated" | "interrupted";

const ENDINGS = "completed cancelled failed timed_out truncated interrupted".split(" ");

export function isEnding(value: unknown): value is Ending {
  return typeof value === "string" && ENDINGS.includes(value);
}

/** Where a usage figure comes from: the provider's closing event, an own count, or nowhere. */
export type UsageLabel = "exact" | "estimated" | "unknown";

/** Token counts, cumulative; null is "not said", never 0. `input` leaves out the cached parts (Anthropic's meaning). */
export interface Usage {
  input: number | null;
  output: number | null;
  cacheRead: number | null;
  cacheWrite: number | null;
}

export type BlockKind = "text" | "thinking" | "redacted_thinking" | "tool_call" | "opaque";

/** Why a stream ended otherwise than `completed`. Never holds a key. */
export interface StreamFailure {
  /** A word of Tailrace's error kinds: `rate_limit`, `unreachable`, `truncated`, … */
  readonly kind: string;
  /** The sentence of the side that noticed. */
  readonly message: string;
  /** The provider's or relay's own word, where it gave one. */
  readonly code: string | null;
  /** HTTP status of the refusal, or the one the provider gave the relay. */
  readonly status: number | null;
  /** Whether the same request may work when it is sent again. */
  readonly retryable: boolean;
  /** How long the other side asks to wait before that. */
  readonly retryAfterMs: number | null;
  /** Whether the stream may still be there: `resume()` with its id and cursor may work. */
  readonly resumable: boolean;
}

/** What the answer says. */
export type ContentEvent =
  | { readonly type: "message_start"; readonly id: string; readonly model: string }
  | {
      readonly type: "block_start";
      readonly index: number;
      readonly kind: BlockKind;
      readonly id: string | null;
      readonly name: string | null;
    }
  | { readonly type: "text_delta"; readonly index: number; readonly text: string }
  | { readonly type: "thinking_delta"; readonly index: number; readonly text: string }
  | { readonly type: "signature_delta"; readonly index: number; readonly signature: string }
  | { readonly type: "tool_input_delta"; readonly index: number; readonly json: string }
  | { readonly type: "block_stop"; readonly index: number }
  | { readonly type: "usage"; readonly usage: Usage; readonly label: UsageLabel }
  | { readonly type: "finish"; readonly reason: string; readonly sequence: string | null }
  /** Something this version does not know, as it came: carried, never guessed at. */
  | { readonly type: "opaque"; readonly name: string; readonly data: unknown };

/** What happens to the connection. */
export type LinkEvent =
  /** A connection delivers. `streamId` is null where no relay named the stream: it cannot be resumed or stopped. */
  | { readonly type: "open"; readonly streamId: string | null; readonly resumed: boolean }
  /** The connection was lost; the next try (1, 2, …) begins in `delayMs`. */
  | { readonly type: "reconnecting"; readonly attempt: number; readonly delayMs: number };

/** The relay began the answer anew: every event before this one is revoked, and the answer comes again from its
 * beginning. Only where `restarts` were asked for. `reason` is the kind of error that was behind it. */
export interface ResetEvent {
  readonly type: "reset";
  readonly reason: string;
}

/** The one end of a stream, always its last event. `error` is null exactly when the ending is `completed`. */
export interface EndEvent {
  readonly type: "end";
  readonly ending: Ending;
  readonly error: StreamFailure | null;
}

export type StreamEvent = ContentEvent | LinkEvent | ResetEvent | EndEvent;
