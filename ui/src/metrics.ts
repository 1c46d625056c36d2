/** The quiet line under an answer: who wrote it, how fast, how much. Nothing is shown that is not known. */

import { inputTokens } from "@tailrace/client";

import type { Answer } from "./chat.ts";

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const tenth = new Intl.NumberFormat("en", { minimumFractionDigits: 1, maximumFractionDigits: 1 });

export function metricsOf(answer: Answer): string[] {
  const parts = [answer.message.model || answer.model];
  const first = timeToFirst(answer);
  if (first !== null) parts.push(`${duration(first)} to first token`);
  if (answer.ending === null) return parts;
  const speed = tokensPerSecond(answer);
  if (speed !== null) parts.push(`${about(answer)}${tenth.format(speed)} tokens/s`);
  parts.push(...tokens(answer));
  return parts;
}

/** Milliseconds from sending to the first word, thinking or tool argument; null when it was not seen. */
export function timeToFirst({ timing }: Answer): number | null {
  return timing.firstAt === null ? null : Math.max(0, timing.firstAt - timing.sentAt);
}

/** Output tokens a second from the first to the last; null when one of the three is not known. */
export function tokensPerSecond({ message, timing, cut }: Answer): number | null {
  const { output } = message.usage;
  if (timing.broken || cut || output === null || message.usageLabel === "unknown") return null;
  if (timing.firstAt === null || timing.lastAt === null) return null;
  const seconds = (timing.lastAt - timing.firstAt) / 1000;
  // The first token is there when the clock starts. Under 0.1 s the answer came in one piece: no speed at all.
  return output < 2 || seconds < 0.1 ? null : (output - 1) / seconds;
}

function tokens(answer: Answer): string[] {
  const { usage, usageLabel } = answer.message;
  const input = inputTokens(usage);
  const output = usageLabel === "unknown" ? null : usage.output;
  if (input === null && output === null) return ["tokens unknown"];
  const label = usageLabel === "estimated" ? " (estimated)" : "";
  const said = (count: number | null, where: string): string =>
    count === null ? `${where} unknown` : `${about(answer)}${whole.format(count)} ${where}`;
  return [said(input, "tokens in"), said(output, input === null ? "tokens out" : "out") + label];
}

function about(answer: Answer): string {
  return answer.message.usageLabel === "estimated" ? "≈ " : "";
}

/** `340 ms`, `1.2 s`, `2 min 5 s`. */
export function duration(ms: number): string {
  if (ms < 999.5) return `${whole.format(ms)} ms`;
  if (ms < 59_950) return `${tenth.format(ms / 1000)} s`;
  const seconds = Math.round(ms / 1000);
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}
