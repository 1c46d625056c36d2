// Reads streams from a file with the clients of front ends, unmodified but for a fetch that answers with them.
//
//   node streams.mjs FILE   FILE has one line of JSON for each stream: {client, data (base64)}. Printed is a line for
//                           each: {text, thinking, calls, failure}, `calls` being names with parsed inputs.
import { readFileSync } from "node:fs";
import { HttpAgent } from "@ag-ui/client";
import { DefaultChatTransport, readUIMessageStream } from "ai";

const answerWith = (data) => async () =>
  new Response(Buffer.from(data, "base64"), { headers: { "content-type": "text/event-stream" } });

async function aiSdk(data) {
  const found = { text: "", thinking: "", calls: [], failure: null };
  const transport = new DefaultChatTransport({ api: "http://relay.test/ui/chat", fetch: answerWith(data) });
  const chunks = await transport.sendMessages({ chatId: "c", messages: [], trigger: "submit-message" });
  let last = { parts: [] };
  try {
    const seen = chunks.pipeThrough(
      new TransformStream({
        transform(chunk, controller) {
          if (chunk.type === "abort") found.failure = chunk.reason;
          controller.enqueue(chunk);
        },
      }),
    );
    const onError = (error) => (found.failure = error.message);
    for await (const message of readUIMessageStream({ stream: seen, onError }))
      last = structuredClone(message);
  } catch (error) {
    found.failure = `thrown: ${error.message}`;
  }
  for (const part of last.parts) {
    if (part.type === "text") found.text += part.text;
    if (part.type === "reasoning") found.thinking += part.text;
    if (part.type.startsWith("tool-") && part.state === "input-available")
      found.calls.push([part.type.slice(5), part.input]);
  }
  return found;
}

async function agUi(data) {
  const found = { text: "", thinking: "", calls: [], failure: null };
  const agent = new HttpAgent({ url: "http://relay.test/ag-ui", fetch: answerWith(data) });
  let pending = [];
  try {
    await agent.runAgent(
      {},
      {
        onRunErrorEvent: ({ event }) => void (found.failure = event.message),
        onRunFinishedEvent: ({ outcome, pendingToolCallIds, event }) => {
          pending = pendingToolCallIds ?? [];
          if (outcome === "cancelled") found.failure = event.metadata.tailrace.message;
        },
      },
    );
  } catch (error) {
    found.failure = `thrown: ${error.message}`;
  }
  for (const message of agent.messages) {
    if (message.role === "assistant") found.text += message.content ?? "";
    if (message.role === "reasoning") found.thinking += message.content;
    for (const { id, function: asked } of message.toolCalls ?? [])
      if (pending.includes(id)) found.calls.push([asked.name, JSON.parse(asked.arguments)]);
  }
  return found;
}

console.warn = (text) => {
  throw new Error(`the client warns: ${text}`);
};

const lines = readFileSync(process.argv[2], "utf8").trim().split("\n");
for (const { client, data } of lines.map((line) => JSON.parse(line)))
  console.log(JSON.stringify(await { ai_sdk: aiSdk, ag_ui: agUi }[client](data)));
