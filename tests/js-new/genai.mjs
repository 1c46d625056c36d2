// Every way of asking with npm @google/genai, unmodified but for its base URL and key. Command line: ../js/report.mjs.
import { GoogleGenAI } from "@google/genai";
import { run } from "../js/report.mjs";

const ask = (model) => ({ model: `models/${model}`, contents: "Hello", config: { maxOutputTokens: 100 } });

async function stream(client, model, outcome) {
  outcome.pieces = 0;
  for await (const chunk of await client.models.generateContentStream(ask(model))) take(chunk, outcome);
}

async function whole(client, model, outcome) {
  take(await client.models.generateContent(ask(model)), outcome);
}

/** Adds a chunk, or a whole answer. */
function take({ candidates, usageMetadata }, outcome) {
  const { answer } = outcome;
  for (const part of candidates?.[0]?.content?.parts ?? []) {
    if (part.functionCall) answer.calls.push([part.functionCall.name, part.functionCall.args ?? {}]);
    if (!part.text) continue;
    if (part.thought) answer.thinking += part.text;
    else {
      answer.text += part.text;
      if (outcome.pieces !== null) outcome.pieces += 1;
    }
  }
  answer.reason = candidates?.[0]?.finishReason ?? answer.reason;
  if (usageMetadata) {
    answer.input_tokens = usageMetadata.promptTokenCount ?? null;
    const { candidatesTokenCount, thoughtsTokenCount } = usageMetadata;
    if (candidatesTokenCount !== undefined) answer.output_tokens = candidatesTokenCount + (thoughtsTokenCount ?? 0);
  }
}

const at = (apiVersion) => (url) =>
  new GoogleGenAI({ apiKey: "key", apiVersion, httpOptions: { baseUrl: url, timeout: 30_000 } });

const clients = { v1: at("v1"), v1beta: at("v1beta") };
const ways = {};
for (const version of Object.keys(clients)) {
  ways[`${version}-stream`] = (url, model, outcome) => stream(clients[version](url), model, outcome);
  ways[`${version}-whole`] = (url, model, outcome) => whole(clients[version](url), model, outcome);
}

await run("genai", Error, ways, (url) => url);
