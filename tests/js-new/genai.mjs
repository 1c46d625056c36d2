// Every way of asking with npm @google/genai, unmodified but for its base URL and key. Command line: ../js/report.mjs;
// a way is VERSION-stream, -whole or -turns, where the version is the API's, in the path.
import { GoogleGenAI } from "@google/genai";
import { run } from "../js/report.mjs";

const HELLO = [{ role: "user", parts: [{ text: "Hello" }] }];

const functions = ["get_weather", "get_time"].map((name) => ({
  name,
  description: "Tells it.",
  parametersJsonSchema: { type: "object", properties: {} },
}));

const ask = (model, contents = HELLO) => ({
  model: `models/${model}`,
  contents,
  config: { maxOutputTokens: 100, tools: [{ functionDeclarations: functions }] },
});

async function stream(client, model, outcome) {
  outcome.pieces = 0;
  for await (const chunk of await client.models.generateContentStream(ask(model))) take(chunk, outcome);
}

async function whole(client, model, outcome) {
  take(await client.models.generateContent(ask(model)), outcome);
}

/** Two turns: in the second the model has what its functions gave back. The answer is the second's. */
async function turns(client, model, outcome) {
  const parts = [];
  for await (const { candidates } of await client.models.generateContentStream(ask(model)))
    parts.push(...(candidates?.[0]?.content?.parts ?? []));
  const results = parts
    .filter((part) => part.functionCall)
    .map(({ functionCall: { id, name, args } }) => ({
      functionResponse: {
        id,
        name,
        response: { output: name === "get_time" ? 14 : `rain over ${args.place}` },
      },
    }));
  const contents = [...HELLO, { role: "model", parts }, { role: "user", parts: results }];
  take(await client.models.generateContent(ask(model, contents)), outcome);
}

/** Notes what a chunk says, or a whole answer. */
function take({ candidates, usageMetadata }, outcome) {
  const { answer } = outcome;
  for (const part of candidates?.[0]?.content?.parts ?? []) {
    if (part.functionCall) answer.calls.push([part.functionCall.name, part.functionCall.args ?? {}]);
    if (!part.text) continue;
    if (part.thought) {
      answer.thinking += part.text;
    } else {
      answer.text += part.text;
      if (outcome.pieces !== null) outcome.pieces += 1;
    }
  }
  answer.reason = candidates?.[0]?.finishReason ?? answer.reason;
  const { promptTokenCount, candidatesTokenCount, thoughtsTokenCount } = usageMetadata ?? {};
  answer.input_tokens = promptTokenCount ?? answer.input_tokens;
  if (candidatesTokenCount !== undefined)
    answer.output_tokens = candidatesTokenCount + (thoughtsTokenCount ?? 0);
}

const ways = {};
for (const version of ["v1", "v1beta"])
  for (const asked of [stream, whole, turns])
    ways[`${version}-${asked.name}`] = (url, model, outcome) => {
      const httpOptions = { baseUrl: url, timeout: 30_000 };
      return asked(new GoogleGenAI({ apiKey: "key", apiVersion: version, httpOptions }), model, outcome);
    };

await run("genai", Error, ways, (url) => url);
