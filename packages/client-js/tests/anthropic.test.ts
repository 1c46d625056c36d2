import { describe, expect, test } from "vitest";

import { BadEvent, decodeAnthropic } from "../src/anthropic.ts";
import { emptyMessage, fold, inputTokens, textOf, type StreamEvent } from "../src/index.ts";

const wire = (data: unknown, type = "") => ({ type, data: JSON.stringify(data), id: "" });
const decode = (data: unknown): StreamEvent[] => decodeAnthropic(wire(data));
const none = { input: null, output: null, cacheRead: null, cacheWrite: null };

describe("wire events", () => {
  test.each<[string, unknown, unknown[]]>([
    ["ping", { type: "ping" }, []],
    [
      "message_start: the answer's figure is a placeholder, the prompt's is not",
      {
        type: "message_start",
        message: {
          id: "m",
          model: "x",
          usage: { input_tokens: 9, output_tokens: 1, cache_read_input_tokens: 4 },
        },
      },
      [
        { type: "message_start", id: "m", model: "x" },
        { type: "usage", usage: { ...none, input: 9, cacheRead: 4 }, label: "unknown" },
      ],
    ],
    [
      "a figure that only stands in for a number is no figure",
      {
        type: "message_delta",
        delta: { stop_reason: "stop_sequence", stop_sequence: "###" },
        usage: { input_tokens: 3, output_tokens: 0 },
        tailrace: { usage_label: "unknown", placeholders: ["output_tokens"] },
      },
      [
        { type: "usage", usage: { ...none, input: 3 }, label: "unknown" },
        { type: "finish", reason: "stop_sequence", sequence: "###" },
      ],
    ],
    [
      "an estimate says so",
      {
        type: "message_delta",
        delta: {},
        usage: { output_tokens: 5 },
        tailrace: { usage_label: "estimated" },
      },
      [{ type: "usage", usage: { ...none, output: 5 }, label: "estimated" }],
    ],
    [
      "a tool call opens",
      {
        type: "content_block_start",
        index: 2,
        content_block: { type: "tool_use", id: "t1", name: "get", input: {} },
      },
      [{ type: "block_start", index: 2, kind: "tool_call", id: "t1", name: "get" }],
    ],
    [
      "words in the opening are not lost",
      { type: "content_block_start", index: 0, content_block: { type: "text", text: "Hi" } },
      [
        { type: "block_start", index: 0, kind: "text", id: null, name: null },
        { type: "text_delta", index: 0, text: "Hi" },
      ],
    ],
    [
      "an unknown block keeps its type's name",
      { type: "content_block_start", index: 0, content_block: { type: "hologram" } },
      [{ type: "block_start", index: 0, kind: "opaque", id: null, name: "hologram" }],
    ],
    [
      "argument text",
      { type: "content_block_delta", index: 1, delta: { type: "input_json_delta", partial_json: '{"a":' } },
      [{ type: "tool_input_delta", index: 1, json: '{"a":' }],
    ],
    [
      "thinking",
      { type: "content_block_delta", index: 0, delta: { type: "thinking_delta", thinking: "hm" } },
      [{ type: "thinking_delta", index: 0, text: "hm" }],
    ],
    [
      "an unknown delta is carried",
      { type: "content_block_delta", index: 0, delta: { type: "new" } },
      [{ type: "opaque", name: "content_block_delta", data: { index: 0, delta: { type: "new" } } }],
    ],
    [
      "an unknown event is carried",
      { type: "new" },
      [{ type: "opaque", name: "new", data: { type: "new" } }],
    ],
    ["message_stop", { type: "message_stop" }, [{ type: "end", ending: "completed", error: null }]],
  ])("%s", (_, data, events) => {
    expect(decode(data)).toEqual(events);
  });

  test.each([
    [{ type: "overloaded_error" }, undefined, "failed", "overloaded", true],
    [{ type: "invalid_request_error" }, undefined, "failed", "invalid_request", false],
    [{ type: "brand_new_error" }, undefined, "failed", "upstream", true],
    [
      { type: "api_error" },
      { ending: "timed_out", kind: "timeout", retryable: false },
      "timed_out",
      "timeout",
      false,
    ],
    [{ type: "api_error" }, { ending: "completed" }, "failed", "upstream", true], // an error is never a success
    [null, null, "failed", "upstream", true],
  ])("error %j with %j ends as %s", (error, tailrace, ending, kind, retryable) => {
    expect(decode({ type: "error", error, tailrace })).toMatchObject([
      { type: "end", ending, error: { kind, retryable } },
    ]);
  });

  test("error: what the relay knows beside the dialect is read too", () => {
    const tailrace = { code: "bad_cursor", status: 529, retry_after: 1.5 };
    expect(
      decode({ type: "error", error: { type: "overloaded_error", message: "m" }, tailrace }),
    ).toMatchObject([{ error: { code: "bad_cursor", status: 529, retryAfterMs: 1500, message: "m" } }]);
  });

  test.each([
    ["{", "not JSON"],
    ["[]", "not an object"],
    ['{"type":"content_block_delta","delta":{}}', "index"],
    ['{"type":"content_block_delta","index":1e9,"delta":{}}', "index"],
    ['{"type":"content_block_delta","index":0}', "delta"],
    ['{"type":"message_start"}', "message"],
  ])("%s is refused", (data, said) => {
    const bad = (): unknown => decodeAnthropic({ type: "message", data, id: "" });
    expect(bad).toThrow(BadEvent);
    expect(bad).toThrow(said);
  });

  test("the event line names the type where the data does not", () => {
    expect(decodeAnthropic({ type: "ping", data: "{}", id: "" })).toEqual([]);
  });
});

describe("the message so far", () => {
  test("adds up text, thinking with its signature, tool arguments and usage", () => {
    const message = emptyMessage();
    const events = [
      {
        type: "message_start",
        message: { id: "m", model: "x", usage: { input_tokens: 2, cache_read_input_tokens: 5 } },
      },
      { type: "content_block_start", index: 0, content_block: { type: "thinking", thinking: "" } },
      { type: "content_block_delta", index: 0, delta: { type: "thinking_delta", thinking: "a" } },
      { type: "content_block_delta", index: 0, delta: { type: "signature_delta", signature: "old" } },
      { type: "content_block_delta", index: 0, delta: { type: "signature_delta", signature: "sig" } },
      { type: "content_block_stop", index: 0 },
      { type: "content_block_start", index: 1, content_block: { type: "text", text: "" } },
      {
        type: "content_block_start",
        index: 2,
        content_block: { type: "tool_use", id: "t", name: "f", input: {} },
      },
      { type: "content_block_delta", index: 2, delta: { type: "input_json_delta", partial_json: '{"x"' } },
      { type: "content_block_delta", index: 1, delta: { type: "text_delta", text: "one " } },
      { type: "content_block_delta", index: 2, delta: { type: "input_json_delta", partial_json: ":1}" } },
      { type: "content_block_delta", index: 1, delta: { type: "text_delta", text: "two" } },
      { type: "message_delta", delta: { stop_reason: "tool_use" }, usage: { output_tokens: 11 } },
      { type: "message_stop" },
    ];
    for (const event of events.flatMap(decode)) fold(message, event);
    expect(textOf(message)).toBe("one two");
    expect(message.blocks).toMatchObject([
      { kind: "thinking", text: "a", signature: "sig", done: true },
      { kind: "text", text: "one two", done: false },
      { kind: "tool_call", id: "t", name: "f", text: '{"x":1}', done: false },
    ]);
    expect(message).toMatchObject({ model: "x", stopReason: "tool_use", usageLabel: "exact" });
    expect(inputTokens(message.usage)).toBe(7);
    expect(message.usage.output).toBe(11);
  });

  test("a delta whose block never opened is not lost, and leaves no hole", () => {
    const message = emptyMessage();
    fold(message, { type: "text_delta", index: 1, text: "late" });
    expect(textOf(message)).toBe("late");
    expect(message.blocks).toHaveLength(2);
    expect(JSON.parse(JSON.stringify(message))).toEqual(message);
  });

  test("an unknown prompt is not said to be 0", () => {
    expect(inputTokens(none)).toBeNull();
  });
});
