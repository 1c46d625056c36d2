// Every way of asking with npm ai through its providers for Anthropic, OpenAI (both APIs) and Google, unmodified but
// for their base URLs and keys. Command line: ../js/report.mjs; a way is PROVIDER-stream, -whole or -turns.
import { createAnthropic } from "@ai-sdk/anthropic";
import { createGoogle } from "@ai-sdk/google";
import { createOpenAI } from "@ai-sdk/openai";
import { generateText, isStepCount, jsonSchema, streamText, tool } from "ai";
import { run } from "../js/report.mjs";

const PROVIDERS = {
  anthropic: (url) => createAnthropic({ baseURL: `${url}/v1`, apiKey: "key" }),
  chat: (url) => createOpenAI({ baseURL: `${url}/v1`, apiKey: "key" }).chat,
  responses: (url) => createOpenAI({ baseURL: `${url}/v1`, apiKey: "key" }).responses,
  google: (url) => {
    const provider = createGoogle({ baseURL: `${url}/v1beta`, apiKey: "key" });
    // It puts `models/` before a name itself, but not before one that has a slash.
    return (model) => provider(`models/${model}`);
  },
};

const weather = {
  description: "Tells the weather.",
  inputSchema: jsonSchema({ type: "object", properties: { place: { type: "string" } } }),
};
const time = { description: "Tells the time.", inputSchema: jsonSchema({ type: "object", properties: {} }) };

const ask = (model) => ({
  model,
  prompt: "Hello",
  maxOutputTokens: 100,
  maxRetries: 0,
  tools: { get_weather: tool(weather), get_time: tool(time) },
});

/** Adds the parts of a stream up. A failure is a part among them: the answer's end comes all the same. */
async function stream(model, outcome) {
  const { answer } = outcome;
  const failures = [];
  outcome.pieces = 0;
  const { stream } = streamText({ ...ask(model), onError: ({ error }) => void failures.push(error) });
  for await (const part of stream) {
    if (part.type === "text-delta") {
      answer.text += part.text;
      outcome.pieces += 1;
    }
    if (part.type === "reasoning-delta") answer.thinking += part.text;
    if (part.type === "tool-call") answer.calls.push(called(part));
    if (part.type === "finish") end(part.finishReason, part.totalUsage, answer);
  }
  if (failures.length) throw failures[0];
}

async function whole(model, outcome) {
  take(await generateText(ask(model)), outcome.answer);
}

/** Two turns: in the second the model has what its tools gave back. The answer is the second's. */
async function turns(model, outcome) {
  const tools = {
    get_weather: tool({ ...weather, execute: async ({ place }) => `rain over ${place}` }),
    get_time: tool({ ...time, execute: async () => ({ hours: 14 }) }),
  };
  const result = streamText({ ...ask(model), tools, stopWhen: isStepCount(2), onError: () => {} });
  const steps = await result.steps;
  if (steps.length !== 2) throw new Error(`${steps.length} turns`);
  take(steps[1], outcome.answer);
}

function take(result, answer) {
  answer.text = result.text;
  answer.thinking = result.reasoningText ?? "";
  answer.calls = result.toolCalls.map(called);
  end(result.finishReason, result.usage, answer);
}

function called({ toolName, input, invalid, error }) {
  if (invalid) throw error;
  return [toolName, input];
}

function end(reason, usage, answer) {
  answer.reason = reason;
  answer.input_tokens = usage.inputTokens ?? null;
  answer.output_tokens = usage.outputTokens ?? null;
}

/** Gives the SDK's error the field for the status that all outcomes have. */
const way = (provider, asked) => async (url, model, outcome) => {
  try {
    await asked(PROVIDERS[provider](url)(model), outcome);
  } catch (error) {
    if (error.statusCode !== undefined) error.status = error.statusCode;
    throw error;
  }
};

const ways = {};
for (const provider of Object.keys(PROVIDERS))
  for (const asked of [stream, whole, turns]) ways[`${provider}-${asked.name}`] = way(provider, asked);

// What it warns of would go unseen: each is a mistake of ours.
globalThis.AI_SDK_LOG_WARNINGS = ({ warnings }) => {
  throw new Error(`the SDK warns: ${JSON.stringify(warnings)}`);
};

await run("ai", Error, ways, (url) => url);
