// Every way of asking with npm @anthropic-ai/sdk, unmodified but for its base URL and key. Command line: report.mjs.
import Anthropic, { AnthropicError } from "@anthropic-ai/sdk";
import { nothing, run } from "./report.mjs";

const ask = (model) => ({ model, max_tokens: 100, messages: [{ role: "user", content: "Hello" }] });

/** Adds events up by hand, as a program does that iterates over the stream itself. */
async function raw(client, model, outcome) {
  const answer = outcome.answer;
  const inputs = new Map();
  outcome.pieces = 0;
  for await (const event of await client.messages.create({ ...ask(model), stream: true })) {
    if (event.type === "message_start") {
      answer.input_tokens = event.message.usage.input_tokens;
      answer.output_tokens = event.message.usage.output_tokens;
    } else if (event.type === "content_block_start" && event.content_block.type === "tool_use") {
      inputs.set(event.index, { name: event.content_block.name, json: "" });
    } else if (event.type === "content_block_delta") {
      const delta = event.delta;
      if (delta.type === "text_delta") {
        answer.text += delta.text;
        outcome.pieces += 1;
      }
      if (delta.type === "thinking_delta") answer.thinking += delta.thinking;
      if (delta.type === "input_json_delta") inputs.get(event.index).json += delta.partial_json;
    } else if (event.type === "content_block_stop" && inputs.has(event.index)) {
      const { name, json } = inputs.get(event.index);
      answer.calls.push([name, JSON.parse(json || "{}")]);
    } else if (event.type === "message_delta") {
      answer.reason = event.delta.stop_reason;
      answer.output_tokens = event.usage.output_tokens;
      answer.input_tokens = event.usage.input_tokens ?? answer.input_tokens;
    }
  }
}

async function helper(client, model, outcome) {
  outcome.pieces = 0;
  const stream = client.messages.stream(ask(model)).on("text", (text) => {
    outcome.answer.text += text;
    outcome.pieces += 1;
  });
  outcome.answer = whole(await stream.finalMessage());
}

async function inOnePiece(client, model, outcome) {
  outcome.answer = whole(await client.messages.create(ask(model)));
}

function whole(message) {
  const answer = nothing();
  for (const block of message.content) {
    if (block.type === "text") answer.text += block.text;
    if (block.type === "thinking") answer.thinking += block.thinking;
    if (block.type === "tool_use") answer.calls.push([block.name, block.input]);
  }
  answer.reason = message.stop_reason;
  answer.input_tokens = message.usage.input_tokens;
  answer.output_tokens = message.usage.output_tokens;
  return answer;
}

/** The list of models, as the text of an answer. */
async function models(client, _model, outcome) {
  for await (const model of client.models.list()) outcome.answer.text += `${model.id} `;
}

await run(
  "anthropic",
  AnthropicError,
  { raw, helper, whole: inOnePiece, models },
  (url) => new Anthropic({ baseURL: url, apiKey: "key", maxRetries: 0, timeout: 30_000 }),
);
