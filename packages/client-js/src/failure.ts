/** How things that went wrong are read into a `StreamFailure`. */

import { isEnding, type EndEvent, type Ending, type StreamFailure } from "./events.ts";

/** Thrown by the calls that return one value: `models()`, `message()`, `text()` … */
export class TailraceError extends Error {
  override readonly name = "TailraceError";
  readonly failure: StreamFailure;
  /** How the stream ended; null where there was none. */
  readonly ending: Ending | null;

  constructor(failure: StreamFailure, ending: Ending | null = null) {
    super(failure.message);
    this.failure = failure;
    this.ending = ending;
  }
}

/** Anthropic's words → Tailrace's. */
const KIND_OF_TYPE: Readonly<Record<string, string>> = {
  invalid_request_error: "invalid_request",
  authentication_error: "authentication",
  billing_error: "billing",
  permission_error: "permission",
  not_found_error: "not_found",
  conflict_error: "conflict",
  request_too_large: "too_large",
  rate_limit_error: "rate_limit",
  api_error: "upstream",
  timeout_error: "timeout",
  overloaded_error: "overloaded",
};

const KIND_OF_STATUS: Readonly<Record<number, string>> = {
  400: "invalid_request",
  401: "authentication",
  402: "billing",
  403: "permission",
  404: "not_found",
  408: "timeout",
  409: "conflict",
  413: "too_large",
  422: "invalid_request",
  429: "rate_limit",
  500: "internal",
  503: "overloaded",
  504: "timeout",
  529: "overloaded",
};

/** Used where the other side does not say whether the same request may work when it is sent again. */
const RETRYABLE: ReadonlySet<string> = new Set([
  "rate_limit",
  "overloaded",
  "timeout",
  "unreachable",
  "upstream",
  "truncated",
  "interrupted",
  "internal",
]);

export function failure(kind: string, message: string, more: Partial<StreamFailure> = {}): StreamFailure {
  return {
    kind,
    message,
    code: null,
    status: null,
    retryable: RETRYABLE.has(kind),
    retryAfterMs: null,
    resumable: false,
    ...more,
  };
}

export function end(ending: Ending, error: StreamFailure | null): EndEvent {
  return { type: "end", ending, error };
}

/** An ending that is known without its error event. */
export function endOf(ending: Ending): EndEvent {
  if (ending === "completed") return end(ending, null);
  const kind = ending === "failed" ? "upstream" : ending === "timed_out" ? "timeout" : ending;
  return end(ending, failure(kind, `the answer ended as ${ending}`));
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function text(value: unknown): string | null {
  return typeof value === "string" && value !== "" ? value : null;
}

const isNumber = (value: unknown): value is number => typeof value === "number" && Number.isFinite(value);

/** Reads an error object, of an error event or of an HTTP error's body. Beside it stands what the dialect has no word
 * for: `tailrace: {ending, kind, retryable, code?, status?, retry_after?}`, the last in seconds. */
export function readError(body: unknown, status: number | null, retryAfterMs: number | null): EndEvent {
  const whole = isRecord(body) ? body : {};
  const error = isRecord(whole["error"]) ? whole["error"] : {};
  const ours = isRecord(whole["tailrace"]) ? whole["tailrace"] : {};
  const type = text(error["type"]);
  const kind =
    text(ours["kind"]) ??
    (type === null ? undefined : KIND_OF_TYPE[type]) ??
    (status === null ? undefined : KIND_OF_STATUS[status]) ??
    "upstream";
  const fallback = status === null ? "the stream reported an error" : `the server answered ${status}`;
  const waitMs = isNumber(ours["retry_after"]) ? Math.round(ours["retry_after"] * 1000) : null;
  const said = failure(kind, text(error["message"]) ?? fallback, {
    code: text(error["code"]) ?? text(ours["code"]) ?? type,
    status: status ?? (isNumber(ours["status"]) ? ours["status"] : null),
    retryAfterMs: retryAfterMs ?? waitMs,
  });
  const retryable = typeof ours["retryable"] === "boolean" ? ours["retryable"] : said.retryable;
  const ending = isEnding(ours["ending"]) && ours["ending"] !== "completed" ? ours["ending"] : "failed";
  return end(ending, { ...said, retryable });
}
