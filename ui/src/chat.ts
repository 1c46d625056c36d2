/** What a conversation is: plain data, kept as JSON. */

import {
  emptyMessage,
  fold,
  freshKey,
  textOf,
  type Ending,
  type Message,
  type MessagesRequest,
  type StreamEvent,
  type StreamFailure,
} from "@tailrace/client";

export interface Question {
  readonly role: "question";
  readonly text: string;
  /** JSON Schema of the document that is asked for, in place of prose. */
  readonly schema?: object;
}

/** Moments of an answer, in milliseconds since 1970 as this browser counts them; null: not yet. */
export interface Timing {
  sentAt: number;
  firstAt: number | null;
  lastAt: number | null;
  thinkingFrom: number | null;
  thinkingTo: number | null;
  /** The connection was lost, or the page reloaded, on the way: `firstAt` and `lastAt` say when it was read here, not
   * when it was written. */
  broken: boolean;
}

/** What was asked, under which idempotency key. */
export interface Asked {
  readonly key: string;
  readonly request: MessagesRequest;
}

export interface Answer {
  readonly role: "answer";
  /** The model as it was asked for. */
  readonly model: string;
  message: Message;
  /** With `cursor` what it takes to go on after a reload; `message` holds what came up to there. */
  streamId: string | null;
  cursor: number;
  /** Until the stream has its name: asking again joins the answer that was begun. */
  asked: Asked | null;
  /** Null while it is being written. */
  ending: Ending | null;
  error: StreamFailure | null;
  /** The reader pressed Stop; nothing is added to the text after that moment. */
  stopped: boolean;
  /** Something came after that and was left out. */
  cut: boolean;
  timing: Timing;
}

export type Turn = Question | Answer;

export function newAnswer(request: MessagesRequest, now: number): Answer {
  return {
    role: "answer",
    model: request.model,
    message: emptyMessage(),
    streamId: null,
    cursor: 0,
    asked: { key: freshKey(), request },
    ending: null,
    error: null,
    stopped: false,
    cut: false,
    timing: { sentAt: now, firstAt: null, lastAt: null, thinkingFrom: null, thinkingTo: null, broken: false },
  };
}

/** Whether more of it may come onto the page. */
export function isLive(answer: Answer): boolean {
  return answer.ending === null && !answer.stopped;
}

/** Whether to show it as stopped. A stop that came after the last word stopped nothing. */
export function isStopped(answer: Answer): boolean {
  if (answer.ending === "cancelled") return true;
  return answer.stopped && (answer.ending !== "completed" || answer.cut);
}

export function isEmpty(answer: Answer): boolean {
  return answer.message.blocks.every((block) => block.text === "" && block.kind !== "tool_call");
}

/** Adds one event to `answer`, in place. */
export function apply(answer: Answer, event: StreamEvent, now: number): void {
  switch (event.type) {
    case "open":
      answer.streamId = event.streamId;
      answer.asked = null;
      return;
    case "reconnecting":
      answer.timing.broken = true;
      return;
    case "end":
      answer.ending = event.ending;
      answer.error = event.error;
      return;
    case "text_delta":
    case "thinking_delta":
    case "tool_input_delta":
      if (answer.stopped) {
        answer.cut = true;
        return;
      }
      note(answer.timing, event.type === "thinking_delta", now);
      break;
    case "block_start":
      if (answer.stopped) return;
      break;
    default:
      break;
  }
  fold(answer.message, event);
}

function note(timing: Timing, thinking: boolean, now: number): void {
  timing.firstAt ??= now;
  timing.lastAt = now;
  if (thinking) {
    timing.thinkingFrom ??= now;
    timing.thinkingTo = now;
  }
}

/** The turns as the request of the next answer. Of several answers to one question the last that says something
 * counts; a partial one is what the model has said. */
export function toMessages(turns: readonly Turn[]): Array<{ role: "user" | "assistant"; content: string }> {
  const messages: Array<{ role: "user" | "assistant"; content: string }> = [];
  for (const turn of turns) {
    if (turn.role === "question") {
      messages.push({ role: "user", content: turn.text });
      continue;
    }
    const content = textOf(turn.message).trim();
    if (content === "") continue; // a message without content is refused
    if (messages.at(-1)?.role === "assistant") messages.pop();
    messages.push({ role: "assistant", content });
  }
  return messages;
}
