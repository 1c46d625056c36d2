// What a front end does with an agent over several runs, with npm @ag-ui/client, unmodified.
//
//   node ag_ui_runs.mjs URL SCENE MODEL…   prints one line of JSON: what the scene found.
import { agentAt } from "./ag_ui.mjs";

const [url, scene, ...models] = process.argv.slice(2);

function run(agent, model, found = {}) {
  return agent.runAgent(
    { forwardedProps: { model } },
    {
      onRunFinishedEvent: ({ outcome, pendingToolCallIds }) =>
        Object.assign(found, { outcome, pending: pendingToolCallIds }),
      onRunErrorEvent: ({ event }) =>
        Object.assign(found, { code: event.code, marks: event.metadata?.tailrace }),
      onToolCallArgsEvent: () => void (found.args = (found.args ?? 0) + 1),
      onTextMessageContentEvent: () => void (found.texts = (found.texts ?? 0) + 1),
    },
  );
}

/** A front end that runs the tools, and tells a second run what came of it. */
async function tools() {
  const agent = agentAt(url);
  const first = {};
  await run(agent, models[0], first);
  const calls = agent.messages.flatMap((message) => message.toolCalls ?? []);
  for (const id of first.pending) {
    const failed = calls.find((call) => call.id === id).function.name === "get_time";
    agent.addMessage({
      id: `result ${id}`,
      role: "tool",
      toolCallId: id,
      content: "21 degrees",
      ...(failed ? { error: "no clock" } : {}),
    });
  }
  const second = {};
  await run(agent, models[1], second);
  return { first, second, messages: agent.messages };
}

/** Runs that somebody else stops, one of them in the middle of a tool call. */
async function stopped() {
  const all = [];
  for (const model of models) {
    const agent = agentAt(url);
    const found = {};
    const running = run(agent, model, found);
    while ((found.texts ?? 0) + (found.args ?? 0) < 8) await new Promise((resolve) => setTimeout(resolve, 5));
    const { data } = await (await fetch(`${url}/streams`)).json();
    await fetch(`${url}/streams/${data[0].id}/stop`, { method: "POST" });
    await running;
    all.push({ ...found, messages: agent.messages });
  }
  return all;
}

console.log(JSON.stringify(await { tools, stopped }[scene]()));
