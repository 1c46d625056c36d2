/** Start reading at `stream.ts`; `sse.ts` and `retry.ts` are pure. */

export type {
  BlockKind,
  ContentEvent,
  EndEvent,
  Ending,
  LinkEvent,
  ResetEvent,
  StreamEvent,
  StreamFailure,
  Usage,
  UsageLabel,
} from "./events.ts";
export { isEnding } from "./events.ts";
export { TailraceError } from "./failure.ts";
export { emptyMessage, fold, inputTokens, textOf, type Block, type Message } from "./message.ts";
export { freshKey, type OnDisconnect, type StreamOptions } from "./options.ts";
export {
  Relay,
  type MessagesRequest,
  type ModelInfo,
  type RelayOptions,
  type StreamInfo,
  type StreamMessage,
  type ViewToken,
} from "./relay.ts";
export { RECONNECT, type ReconnectPolicy } from "./retry.ts";
export { SSE_LIMITS, SseLimitExceeded, SseParser, type ServerSentEvent, type SseLimits } from "./sse.ts";
export { TailraceStream } from "./stream.ts";
