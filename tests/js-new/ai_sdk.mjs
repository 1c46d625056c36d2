// Every way of asking with npm ai, the AI SDK that useChat is made of, unmodified. Command line: ../js/report.mjs.
//
// An outcome has two fields more: `message`, the last UI message, and `data`, the transient parts that the chat was
// told of.
import { AbstractChat, DefaultChatTransport, readUIMessageStream } from "ai";
import { nothing, run } from "../js/report.mjs";

/** The state of a chat as a framework keeps it: this is all that useChat adds to the SDK's own core. */
class State {
  status = "ready";
  error = undefined;
  messages = [];
  pushMessage = (message) => (this.messages = [...this.messages, message]);
  popMessage = () => (this.messages = this.messages.slice(0, -1));
  replaceMessage = (index, message) =>
    (this.messages = this.messages.map((old, i) => (i === index ? structuredClone(message) : old)));
  snapshot = (value) => structuredClone(value);
}

export class Chat extends AbstractChat {
  constructor(options) {
    super({ ...options, state: new State() });
  }
}

const SAID = [{ id: "u1", role: "user", parts: [{ type: "text", text: "Hello" }] }];

export function transportTo(url, options = {}) {
  return new DefaultChatTransport({ api: `${url}/ui/chat`, ...options });
}

/** The transport's stream of chunks, added up by the SDK's reader. */
async function transport(url, model, outcome) {
  const stream = await transportTo(url).sendMessages({
    chatId: `chat of ${model}`,
    messages: SAID,
    trigger: "submit-message",
    body: { model, max_tokens: 100 },
  });
  const counted = stream.pipeThrough(counting(outcome));
  let failure = null;
  for await (const message of readUIMessageStream({ stream: counted, onError: (error) => (failure = error) }))
    take(message, outcome);
  if (failure) throw failure;
}

/** The core of useChat. */
async function chat(url, model, outcome) {
  const asking = new Chat({
    id: `chat of ${model}`,
    transport: transportTo(url, { body: { model, max_tokens: 100 } }),
    onData: (part) => outcome.data.push(part),
    onFinish: ({ finishReason }) => (outcome.answer.reason = finishReason ?? null),
  });
  await asking.sendMessage({ text: "Hello" });
  if (asking.lastMessage?.role === "assistant") take(asking.lastMessage, outcome);
  if (asking.status !== "ready") throw asking.error;
}

/** A UI message in one piece, for clients that do not stream. */
async function whole(url, model, outcome) {
  const response = await fetch(`${url}/ui/chat`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ id: "c", messages: SAID, trigger: "submit-message", model, stream: false }),
  });
  const body = await response.json();
  if (!response.ok) throw Object.assign(new Error(body.message), { status: response.status });
  take(body, outcome);
}

function counting(outcome) {
  outcome.pieces = 0;
  return new TransformStream({
    transform(chunk, controller) {
      if (chunk.type === "text-delta") outcome.pieces += 1;
      if (chunk.type === "finish") outcome.answer.reason = chunk.finishReason ?? null;
      controller.enqueue(chunk);
    },
  });
}

/** Notes what a UI message says. */
export function take(message, outcome) {
  const { reason } = outcome.answer;
  const of = (type) => message.parts.filter((part) => part.type === type).map((part) => part.text);
  const words = {
    stop: "stop",
    end_turn: "stop",
    max_tokens: "length",
    tool_use: "tool-calls",
    refusal: "content-filter",
  };
  outcome.message = structuredClone(message);
  outcome.answer = {
    ...nothing(),
    text: of("text").join(""),
    thinking: of("reasoning").join(""),
    calls: message.parts
      .filter((part) => part.type.startsWith("tool-") && part.state === "input-available")
      .map((part) => [part.type.slice(5), part.input]),
    reason: reason ?? words[message.metadata?.stopReason] ?? null,
    input_tokens: message.metadata?.usage?.inputTokens ?? null,
    output_tokens: message.metadata?.usage?.outputTokens ?? null,
  };
}

/** Gives the SDK's error the field for the status that all outcomes have. */
const withStatus = (ask) => async (url, model, outcome) => {
  Object.assign(outcome, { message: null, data: [] });
  try {
    await ask(url, model, outcome);
  } catch (error) {
    if (error.statusCode !== undefined) error.status = error.statusCode;
    throw error;
  }
};

if (import.meta.main)
  await run(
    "ai",
    Error,
    { transport: withStatus(transport), chat: withStatus(chat), whole: withStatus(whole) },
    (url) => url,
  );
