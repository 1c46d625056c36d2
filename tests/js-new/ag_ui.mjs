// Every way of asking with npm @ag-ui/client, unmodified. Command line: ../js/report.mjs.
//
// An outcome has two fields more: `messages`, what the agent has after the run, and `events`, the types of what came.
import { HttpAgent } from "@ag-ui/client";
import { nothing, run } from "../js/report.mjs";

export function agentAt(url, messages = [{ id: "u1", role: "user", content: "Hello" }]) {
  return new HttpAgent({ url: `${url}/ag-ui`, threadId: "thread 1", initialMessages: messages });
}

async function agent(url, model, outcome) {
  Object.assign(outcome, { messages: [], events: [], pieces: 0 });
  const asking = agentAt(url);
  const known = new Set(asking.messages.map(({ id }) => id));
  let failure = null;
  try {
    await asking.runAgent(
      { runId: "run 1", forwardedProps: { model, max_tokens: 100 } },
      {
        onEvent: ({ event }) => void outcome.events.push(event),
        onTextMessageContentEvent: () => void (outcome.pieces += 1),
        onRunErrorEvent: ({ event }) =>
          void (failure = Object.assign(new Error(event.message), { name: event.code })),
        onRunFinishedEvent: ({ event, outcome: how, pendingToolCallIds }) => {
          outcome.answer.reason = how === "success" ? event.metadata.tailrace.stop_reason : how;
          outcome.answer.input_tokens = event.usage?.[0].inputTokens ?? null;
          outcome.answer.output_tokens = event.usage?.[0].outputTokens ?? null;
          outcome.pending = pendingToolCallIds;
        },
      },
    );
  } finally {
    outcome.messages = asking.messages.filter(({ id }) => !known.has(id));
    take(outcome.messages, outcome.answer);
  }
  if (failure) throw failure;
}

/** Notes what the messages of a run say. */
function take(messages, answer) {
  for (const message of messages) {
    if (message.role === "reasoning") answer.thinking += message.content;
    if (message.role !== "assistant") continue;
    answer.text += message.content ?? "";
    for (const call of message.toolCalls ?? []) {
      // A call that was cut off is there, but not whole.
      try {
        answer.calls.push([call.function.name, JSON.parse(call.function.arguments)]);
      } catch {
        answer.calls.push([call.function.name, null]);
      }
    }
  }
}

async function whole(url, model, outcome) {
  const response = await fetch(`${url}/ag-ui`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      threadId: "t",
      runId: "r",
      messages: [{ id: "u1", role: "user", content: "Hello" }],
      forwardedProps: { model },
      stream: false,
    }),
  });
  const body = await response.json();
  if (!response.ok) throw Object.assign(new Error(body.message), { status: response.status });
  outcome.answer = { ...nothing(), reason: body.metadata.tailrace.stop_reason };
  take(body.messages, outcome.answer);
  outcome.answer.input_tokens = body.usage[0].inputTokens;
  outcome.answer.output_tokens = body.usage[0].outputTokens;
}

// Warnings about what it strips would go unseen: each is a mistake of the relay's.
console.warn = (text) => {
  throw new Error(`the client warns: ${text}`);
};

if (import.meta.main) await run("ag_ui", Error, { agent, whole }, (url) => url);
