/**
 * One wire event of the Anthropic door to events: the shapes of `POST /v1/messages` with `"stream": true`.
 *
 * It keeps no state, so a stream may be taken up in its middle. What it does not know becomes `opaque`.
 */

import type { BlockKind, StreamEvent, Usage, UsageLabel } from "./events.ts";
import { end, isRecord, readError } from "./failure.ts";
import type { ServerSentEvent } from "./sse.ts";

type Json = Record<string, unknown>;

const KIND_OF_BLOCK: Readonly<Record<string, BlockKind>> = {
  text: "text",
  thinking: "thinking",
  redacted_thinking: "redacted_thinking",
  tool_use: "tool_call",
  server_tool_use: "tool_call",
};

/** Thrown for an event that no rule of the dialect allows. */
export class BadEvent extends Error {}

function record(value: unknown, what: string): Json {
  if (!isRecord(value)) throw new BadEvent(`${what} is not an object`);
  return value;
}

/** Far more blocks than any answer has; without a cap one number could make the message's row of blocks huge. */
const MAX_BLOCKS = 10_000;

function index(data: Json): number {
  const value = data["index"];
  if (typeof value !== "number" || !Number.isInteger(value) || value < 0 || value >= MAX_BLOCKS) {
    throw new BadEvent("no usable block index");
  }
  return value;
}

const string = (value: unknown): string => (typeof value === "string" ? value : "");
const stringOrNull = (value: unknown): string | null => (typeof value === "string" ? value : null);

/** Returns what `event` says; a ping says nothing. Throws `BadEvent`. */
export function decodeAnthropic(event: ServerSentEvent): StreamEvent[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(event.data);
  } catch {
    throw new BadEvent(`the data of ${event.type} is not JSON`);
  }
  const data = record(parsed, event.type);
  const type = string(data["type"]) || event.type;
  switch (type) {
    case "message_start":
      return messageStart(record(data["message"], "message"), data["tailrace"]);
    case "content_block_start":
      return blockStart(index(data), record(data["content_block"], "content_block"));
    case "content_block_delta":
      return blockDelta(index(data), record(data["delta"], "delta"), type);
    case "content_block_stop":
      return [{ type: "block_stop", index: index(data) }];
    case "message_delta":
      return [...usage(data["usage"], data["tailrace"]), ...finish(data["delta"])];
    case "message_stop":
      return [end("completed", null)];
    case "error":
      return [readError(data, null, null)];
    case "ping":
      return [];
    default:
      return [{ type: "opaque", name: type, data }];
  }
}

function messageStart(message: Json, marks: unknown): StreamEvent[] {
  const start: StreamEvent = {
    type: "message_start",
    id: string(message["id"]),
    model: string(message["model"]),
  };
  // The prompt's figures are final here, the answer's is a placeholder (1, say): not a count of anything.
  const figures = usage(message["usage"], marks).map((event): StreamEvent =>
    event.type === "usage" ? { ...event, usage: { ...event.usage, output: null }, label: "unknown" } : event,
  );
  return [start, ...figures];
}

function blockStart(at: number, block: Json): StreamEvent[] {
  const kind = KIND_OF_BLOCK[string(block["type"])] ?? "opaque";
  const start: StreamEvent = {
    type: "block_start",
    index: at,
    kind,
    id: stringOrNull(block["id"]),
    name: kind === "opaque" ? stringOrNull(block["type"]) : stringOrNull(block["name"]),
  };
  // Some servers put the first words into the opening itself.
  if (kind === "text" && string(block["text"]) !== "") {
    return [start, { type: "text_delta", index: at, text: string(block["text"]) }];
  }
  if (kind === "thinking" && string(block["thinking"]) !== "") {
    return [start, { type: "thinking_delta", index: at, text: string(block["thinking"]) }];
  }
  return [start];
}

function blockDelta(at: number, delta: Json, name: string): StreamEvent[] {
  switch (delta["type"]) {
    case "text_delta":
      return [{ type: "text_delta", index: at, text: string(delta["text"]) }];
    case "thinking_delta":
      return [{ type: "thinking_delta", index: at, text: string(delta["thinking"]) }];
    case "input_json_delta":
      return [{ type: "tool_input_delta", index: at, json: string(delta["partial_json"]) }];
    case "signature_delta":
      return [{ type: "signature_delta", index: at, signature: string(delta["signature"]) }];
    default:
      return [{ type: "opaque", name, data: { index: at, delta } }];
  }
}

/**
 * Cumulative figures. In `tailrace` the relay says when they are not the provider's own count, and which of them stand
 * there only because the SDKs require a number.
 */
function usage(value: unknown, marks: unknown): StreamEvent[] {
  if (!isRecord(value)) return [];
  const { usage_label: label, placeholders }: Json = isRecord(marks) ? marks : {};
  const count = (name: string): number | null => {
    const figure = value[name];
    const placeholder = Array.isArray(placeholders) && placeholders.includes(name);
    return typeof figure === "number" && !placeholder ? figure : null;
  };
  const figures: Usage = {
    input: count("input_tokens"),
    output: count("output_tokens"),
    cacheRead: count("cache_read_input_tokens"),
    cacheWrite: count("cache_creation_input_tokens"),
  };
  const known: UsageLabel = label === "estimated" || label === "unknown" ? label : "exact";
  return [{ type: "usage", usage: figures, label: known }];
}

function finish(delta: unknown): StreamEvent[] {
  if (!isRecord(delta) || typeof delta["stop_reason"] !== "string") return [];
  return [{ type: "finish", reason: delta["stop_reason"], sequence: stringOrNull(delta["stop_sequence"]) }];
}
