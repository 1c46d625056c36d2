// Every way of asking with npm ai through its providers for Anthropic, OpenAI (both APIs) and Google, unmodified but
// for their base URLs and keys. Command line: ../js/report.mjs; a way is PROVIDER-stream or PROVIDER-whole.
//
// The class of a failure is not enough to tell it: `finish` is the reason as the SDK gives it when the answer ended.
import { createAnthropic } from "@ai-sdk/anthropic";
import { createGoogle } from "@ai-sdk/google";
import { createOpenAI } from "@ai-sdk/openai";
import { generateText, jsonSchema, streamText, tool } from "ai";
import { run } from "../js/report.mjs";

const anything = tool({
  description: "Tells the weather.",
  inputSchema: jsonSchema({ type: "object", properties: { place: { type: "string" } } }),
});

const ask = (model) => ({
  model,
  prompt: "Hello",
  maxOutputTokens: 100,
  maxRetries: 0,
  tools: { get_weather: anything },
});

async function streamed(model, outcome) {
  const { answer } = outcome;
  let failure = null;
  outcome.pieces = 0;
  const result = streamText({ ...ask(model), onError: ({ error }) => void (failure ??= error) });
  for await (const part of result.stream) {
    if (part.type === "text-delta") {
      answer.text += part.text;
      outcome.pieces += 1;
    }
    if (part.type === "reasoning-delta") answer.thinking += part.text;
    if (part.type === "tool-call" && !part.invalid) answer.calls.push([part.toolName, part.input]);
    if (part.type === "finish") finish(part.finishReason, part.totalUsage, answer);
  }
  if (failure) throw failure;
}

async function whole(model, outcome) {
  const result = await generateText(ask(model));
  Object.assign(outcome.answer, { text: result.text, thinking: result.reasoningText ?? "" });
  outcome.answer.calls = result.toolCalls.filter((call) => !call.invalid).map((call) => [call.toolName, call.input]);
  finish(result.finishReason, result.totalUsage, outcome.answer);
}

function finish(reason, usage, answer) {
  answer.reason = reason;
  answer.input_tokens = usage.inputTokens ?? null;
  answer.output_tokens = usage.outputTokens ?? null;
}

const PROVIDERS = {
  anthropic: (url) => createAnthropic({ baseURL: `${url}/v1`, apiKey: "key" }),
  chat: (url) => createOpenAI({ baseURL: `${url}/v1`, apiKey: "key" }).chat,
  responses: (url) => createOpenAI({ baseURL: `${url}/v1`, apiKey: "key" }).responses,
  // A name with a slash is the whole of the path's middle to this provider.
  google: (url) => {
    const provider = createGoogle({ baseURL: `${url}/v1beta`, apiKey: "key" });
    return (model) => provider(`models/${model}`);
  },
};

const way = (provider, asked) => async (url, model, outcome) => {
  try {
    await asked(PROVIDERS[provider](url)(model), outcome);
  } catch (error) {
    // All outcomes have the status under one name.
    if (error?.statusCode !== undefined) error.status = error.statusCode;
    throw error;
  }
};

const ways = {};
for (const provider of Object.keys(PROVIDERS)) {
  ways[`${provider}-stream`] = way(provider, streamed);
  ways[`${provider}-whole`] = way(provider, whole);
}

globalThis.AI_SDK_LOG_WARNINGS = false;
await run("ai", Error, ways, (url) => url);
