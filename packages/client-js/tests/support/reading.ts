/** What the tests of streams share: a relay that says these words, and a reader that notes what it was told. */

import { onTestFinished } from "vitest";

import {
  emptyMessage,
  fold,
  RECONNECT,
  type Message,
  type StreamEvent,
  type TailraceStream,
} from "../../src/index.ts";
import { answer, FakeRelay, type Connection } from "./fake-relay.ts";

export const WORDS = ["The ", "sky ", "is ", "blue", " – ", "naïve 🎉", "."];
export const TEXT = WORDS.join("");
export const QUICK = { policy: { ...RECONNECT, baseMs: 1, capMs: 2, maxTries: 4 }, random: () => 0 };
export const BODY = {
  model: "sim-1",
  max_tokens: 64,
  messages: [{ role: "user" as const, content: "Why?" }],
};

/** A relay with one script entry per connection; it goes away with the test. */
export async function relayThat(script: Connection[], events = answer(WORDS)): Promise<FakeRelay> {
  const relay = await new FakeRelay(events, script).start();
  onTestFinished(() => relay.close());
  return relay;
}

export interface Told {
  message: Message;
  events: StreamEvent[];
}

export async function read(
  stream: TailraceStream,
  each: (event: StreamEvent) => void = () => undefined,
): Promise<Told> {
  const told: Told = { message: emptyMessage(), events: [] };
  for await (const event of stream) {
    fold(told.message, event);
    told.events.push(event);
    each(event);
  }
  return told;
}

export const deltas = ({ events }: Told): string[] =>
  events.flatMap((e) => (e.type === "text_delta" ? [e.text] : []));
export const ends = ({ events }: Told) => events.filter((event) => event.type === "end");
export const kinds = ({ events }: Told): string[] => events.map((event) => event.type);
