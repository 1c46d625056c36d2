// Every way of asking for a response with npm openai, unmodified but for its base URL and key. Command line: report.mjs.
import OpenAI, { OpenAIError } from "openai";
import { nothing, run } from "./report.mjs";

const ask = (model) => ({ model, max_output_tokens: 100, input: "Hello" });

/** Adds events up by hand, as a program does that iterates over the stream itself. */
async function raw(client, model, outcome) {
  const answer = outcome.answer;
  const calls = [];
  outcome.pieces = 0;
  for await (const event of await client.responses.create({ ...ask(model), stream: true })) {
    switch (event.type) {
      case "response.output_text.delta":
      case "response.refusal.delta":
        answer.text += event.delta;
        outcome.pieces += 1;
        break;
      case "response.reasoning_summary_text.delta":
        answer.thinking += event.delta;
        break;
      case "response.output_item.added":
        if (event.item.type === "function_call")
          calls[event.output_index] = { name: event.item.name, json: "" };
        break;
      case "response.function_call_arguments.delta":
        calls[event.output_index].json += event.delta;
        break;
      case "response.completed":
      case "response.incomplete": {
        const { reason, input_tokens, output_tokens } = whole(event.response);
        Object.assign(answer, { reason, input_tokens, output_tokens });
      }
    }
  }
  answer.calls = calls.filter(Boolean).map(({ name, json }) => [name, JSON.parse(json)]);
}

async function helper(client, model, outcome) {
  outcome.pieces = 0;
  const grow = ({ delta }) => {
    outcome.answer.text += delta;
    outcome.pieces += 1;
  };
  const stream = client.responses.stream(ask(model));
  stream.on("response.output_text.delta", grow).on("response.refusal.delta", grow);
  const last = await stream.finalResponse();
  // A stream that just closes is no error to this helper: its last response has no end then.
  if (last.status === "in_progress") throw new OpenAIError("closed without an end");
  outcome.answer = whole(last);
}

async function inOnePiece(client, model, outcome) {
  outcome.answer = whole(await client.responses.create(ask(model)));
}

/** Follows a stream to its middle, and the rest of it by the helper, which asks for all of it again. */
async function resumed(client, model, outcome) {
  let identity, last, seen;
  const stream = await client.responses.create({ ...ask(model), stream: true, background: true });
  for await (const event of stream) {
    if (event.type === "response.created") identity = event.response.id;
    if (event.type === "response.output_text.delta") {
      seen = (seen ?? "") + event.delta;
      last = event.sequence_number;
      if (seen.length > 20) break;
    }
  }
  outcome.pieces = 0;
  const rest = client.responses.stream({ response_id: identity, starting_after: last });
  rest.on("response.output_text.delta", ({ delta, sequence_number }) => {
    if (sequence_number !== (last += 1)) throw new OpenAIError(`${sequence_number} after ${last - 1}`);
    seen += delta;
    outcome.pieces += 1;
  });
  outcome.answer = { ...whole(await rest.finalResponse()), text: seen };
}

/** Stopped in the middle: the rest is read from its cursor, to an end that is none. */
async function stopped(client, model, outcome) {
  let identity, last;
  const stream = await client.responses.create({ ...ask(model), max_output_tokens: 5000, stream: true });
  for await (const event of stream) {
    last = event.sequence_number;
    if (event.type === "response.created") identity = event.response.id;
    if (event.type === "response.output_text.delta") {
      outcome.answer.text += event.delta;
      if (outcome.answer.text.length > 20) break;
    }
  }
  while (whole(await client.responses.retrieve(identity)).text.length < 80); // nobody reads it, and it goes on
  outcome.answer.reason = whole(await client.responses.cancel(identity)).text;
  outcome.pieces = 0;
  const rest = await client.responses.retrieve(identity, { stream: true, starting_after: last });
  for await (const event of rest) {
    if (event.sequence_number !== (last += 1)) throw new Error(`${event.sequence_number} after ${last - 1}`);
    if (event.type === "response.output_text.delta") {
      outcome.answer.text += event.delta;
      outcome.pieces += 1;
    }
  }
}

function whole(response) {
  const answer = nothing();
  for (const item of response.output) {
    if (item.type === "message")
      for (const part of item.content) answer.text += part.type === "refusal" ? part.refusal : part.text;
    if (item.type === "reasoning") for (const part of item.summary) answer.thinking += part.text;
    if (item.type === "function_call") answer.calls.push([item.name, JSON.parse(item.arguments)]);
  }
  answer.reason = response.incomplete_details?.reason ?? response.status;
  answer.input_tokens = response.usage?.input_tokens ?? null;
  answer.output_tokens = response.usage?.output_tokens ?? null;
  return answer;
}

await run(
  "openai",
  OpenAIError,
  { raw, helper, whole: inOnePiece, resumed, stopped },
  (url) => new OpenAI({ baseURL: `${url}/v1`, apiKey: "key", maxRetries: 0, timeout: 30_000 }),
);
