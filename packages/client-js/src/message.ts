/** The message so far: what the events of an answer add up to. Plain data, so it can be kept as JSON. */

import type { BlockKind, StreamEvent, Usage, UsageLabel } from "./events.ts";

export interface Block {
  kind: BlockKind;
  /** Text or thinking; for a tool call its argument text as it came. Never act on a call that is not `done`. */
  text: string;
  /** Of a tool call. */
  id: string | null;
  name: string | null;
  /** Of thinking: goes back to its provider unchanged with the next turn. */
  signature: string | null;
  done: boolean;
}

export interface Message {
  id: string;
  model: string;
  /** By block index. */
  blocks: Block[];
  stopReason: string | null;
  usage: Usage;
  /** How far `usage` can be trusted; `unknown` until the closing event has come. */
  usageLabel: UsageLabel;
}

export function emptyMessage(): Message {
  return {
    id: "",
    model: "",
    blocks: [],
    stopReason: null,
    usage: { input: null, output: null, cacheRead: null, cacheWrite: null },
    usageLabel: "unknown",
  };
}

/** Adds `event` to `message`, in place; a reset empties it. Events about the connection and the end change nothing. */
export function fold(message: Message, event: StreamEvent): void {
  switch (event.type) {
    case "reset":
      Object.assign(message, emptyMessage());
      return;
    case "message_start":
      message.id = event.id;
      message.model = event.model;
      return;
    case "block_start":
      message.blocks[event.index] = block(event.kind, event.id, event.name);
      return;
    case "text_delta":
      at(message, event.index, "text").text += event.text;
      return;
    case "thinking_delta":
      at(message, event.index, "thinking").text += event.text;
      return;
    case "tool_input_delta":
      at(message, event.index, "tool_call").text += event.json;
      return;
    case "signature_delta":
      at(message, event.index, "thinking").signature = event.signature; // replaces, never appends
      return;
    case "block_stop":
      at(message, event.index, "opaque").done = true;
      return;
    case "usage":
      mergeUsage(message, event.usage, event.label);
      return;
    case "finish":
      message.stopReason = event.reason;
      return;
    default:
      return;
  }
}

/** The words of the answer: its text blocks, joined. */
export function textOf(message: Message): string {
  return message.blocks
    .filter((part) => part.kind === "text")
    .map((part) => part.text)
    .join("");
}

/** The whole prompt, cached parts included; null when it was not said. */
export function inputTokens(usage: Usage): number | null {
  if (usage.input === null) return null;
  return usage.input + (usage.cacheRead ?? 0) + (usage.cacheWrite ?? 0);
}

function block(kind: BlockKind, id: string | null, name: string | null): Block {
  return { kind, text: "", id, name, signature: null, done: false };
}

/** The block that a delta belongs to; opened here when its opening never came, and no hole is left before it. */
function at(message: Message, index: number, kind: BlockKind): Block {
  while (message.blocks.length < index) message.blocks.push(block("opaque", null, null));
  return (message.blocks[index] ??= block(kind, null, null));
}

function mergeUsage(message: Message, later: Usage, label: UsageLabel): void {
  const old = message.usage;
  message.usage = {
    input: later.input ?? old.input,
    output: later.output ?? old.output,
    cacheRead: later.cacheRead ?? old.cacheRead,
    cacheWrite: later.cacheWrite ?? old.cacheWrite,
  };
  message.usageLabel = label;
}
