// Every way of asking with npm openai, unmodified but for its base URL and key. Command line: report.mjs.
import OpenAI, { OpenAIError } from "openai";
import { nothing, run } from "./report.mjs";

const ask = (model) => ({
  model,
  max_completion_tokens: 100,
  messages: [{ role: "user", content: "Hello" }],
});
const askStream = (model) => ({ ...ask(model), stream: true, stream_options: { include_usage: true } });

/** Adds chunks up by hand, as a program does that iterates over the stream itself. */
async function raw(client, model, outcome) {
  const answer = outcome.answer;
  const calls = [];
  outcome.pieces = 0;
  for await (const chunk of await client.chat.completions.create(askStream(model))) {
    if (chunk.usage) {
      answer.input_tokens = chunk.usage.prompt_tokens;
      answer.output_tokens = chunk.usage.completion_tokens;
    }
    for (const { delta, finish_reason } of chunk.choices) {
      const text = delta.content || delta.refusal;
      if (text) {
        answer.text += text;
        outcome.pieces += 1;
      }
      answer.thinking += delta.reasoning_content ?? "";
      for (const call of delta.tool_calls ?? []) {
        calls[call.index] ??= { name: call.function.name, json: "" };
        calls[call.index].json += call.function.arguments ?? "";
      }
      answer.reason = finish_reason ?? answer.reason;
    }
  }
  answer.calls = calls.map(({ name, json }) => [name, JSON.parse(json)]);
}

async function helper(client, model, outcome) {
  outcome.pieces = 0;
  const grow = ({ delta }) => {
    outcome.answer.text += delta;
    outcome.pieces += 1;
  };
  const stream = client.chat.completions.stream(askStream(model));
  stream.on("content.delta", grow).on("refusal.delta", grow);
  // Of fields that it does not know, the SDK's final message keeps the last piece only.
  let thinking = "";
  stream.on("chunk", ({ choices }) =>
    choices.forEach(({ delta }) => (thinking += delta.reasoning_content ?? "")),
  );
  outcome.answer = { ...whole(await stream.finalChatCompletion()), thinking };
}

async function inOnePiece(client, model, outcome) {
  outcome.answer = whole(await client.chat.completions.create(ask(model)));
}

function whole(completion) {
  const [{ message, finish_reason }] = completion.choices;
  return {
    ...nothing(),
    text: (message.content ?? "") + (message.refusal ?? ""),
    thinking: message.reasoning_content ?? "",
    calls: (message.tool_calls ?? []).map((call) => [
      call.function.name,
      JSON.parse(call.function.arguments),
    ]),
    reason: finish_reason,
    input_tokens: completion.usage?.prompt_tokens ?? null,
    output_tokens: completion.usage?.completion_tokens ?? null,
  };
}

/** The list of models, as the text of an answer. */
async function models(client, _model, outcome) {
  for await (const model of client.models.list()) outcome.answer.text += `${model.id} `;
}

await run(
  "openai",
  OpenAIError,
  { raw, helper, whole: inOnePiece, models },
  (url) => new OpenAI({ baseURL: `${url}/v1`, apiKey: "key", maxRetries: 0, timeout: 30_000 }),
);
