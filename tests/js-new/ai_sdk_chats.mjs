// What a page does with a chat over several requests, with the core of useChat, unmodified.
//
//   node ai_sdk_chats.mjs URL SCENE MODEL…   prints one line of JSON: what the scene found.
import { lastAssistantMessageIsCompleteWithToolCalls } from "ai";
import { Chat, transportTo } from "./ai_sdk.mjs";

const [url, scene, ...models] = process.argv.slice(2);

const textOf = (message) =>
  message?.parts
    .filter((part) => part.type === "text")
    .map((part) => part.text)
    .join("");

/** Resolves once `condition` holds. */
async function until(condition) {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}

function seen(chat) {
  return { status: chat.status, error: chat.error?.message ?? null, messages: chat.messages };
}

/** A page that loses its connection in the middle, and three others that come back to the chat. */
async function resumed() {
  const make = (messages) => {
    const chat = new Chat({ id: "chat/1 ü", transport: transportTo(url, { body: { model: models[0] } }) });
    chat.messages = messages;
    return chat;
  };
  const lost = make([]);
  const asking = lost.sendMessage({ text: "Hello" });
  await until(() => textOf(lost.lastMessage)?.length > 40 && lost.lastMessage.role === "assistant");
  await lost.stop(); // closes the connection, which is no stop for the relay
  await asking;
  const fresh = make(lost.messages.slice(0, 1));
  const knowing = make(structuredClone(lost.messages));
  await Promise.all([fresh.resumeStream(), knowing.resumeStream()]);
  const late = make(structuredClone(fresh.messages));
  await late.resumeStream();
  return { lost: seen(lost), fresh: seen(fresh), knowing: seen(knowing), late: seen(late) };
}

/** A chat that would go on by itself, stopped by somebody else. */
async function stopped() {
  const found = { data: [], finish: null, posts: 0 };
  const chat = new Chat({
    id: "chat 1",
    transport: transportTo(url, {
      body: { model: models[0] },
      fetch: (...request) => {
        found.posts += 1;
        return fetch(...request);
      },
    }),
    sendAutomaticallyWhen: () => found.posts < 3,
    onData: (part) => found.data.push(part),
    onFinish: ({ finishReason, isError, isAbort }) => (found.finish = { finishReason, isError, isAbort }),
  });
  const asking = chat.sendMessage({ text: "Hello" });
  await until(() => chat.lastMessage?.role === "assistant" && chat.lastMessage.parts.length > 1);
  const stop = () => fetch(`${url}/ui/chat/${encodeURIComponent(chat.id)}/stop`, { method: "POST" });
  const answer = await stop();
  await asking;
  const again = await stop();
  return { ...found, ...seen(chat), stop: await answer.json(), statuses: [answer.status, again.status] };
}

/** A chat whose page runs the tools: the answer goes on in the same message. */
async function tools() {
  let asked = 0;
  const chat = new Chat({
    id: "chat 1",
    transport: transportTo(url, { body: () => ({ model: models[asked++] }) }),
    sendAutomaticallyWhen: lastAssistantMessageIsCompleteWithToolCalls,
    onToolCall: ({ toolCall }) => {
      const state = toolCall.toolName === "get_time" ? "output-error" : "output-available";
      void chat.addToolOutput({
        tool: toolCall.toolName,
        toolCallId: toolCall.toolCallId,
        state,
        ...(state === "output-error" ? { errorText: "no clock" } : { output: { degrees: 21 } }),
      });
    },
  });
  await chat.sendMessage({ text: "Hello" });
  await until(() => asked === models.length && chat.status !== "submitted" && chat.status !== "streaming");
  return { asked, ...seen(chat) };
}

console.log(JSON.stringify(await { resumed, stopped, tools }[scene]()));
