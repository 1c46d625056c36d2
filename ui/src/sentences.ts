/** What went wrong, in a sentence for the reader. */

import type { Ending, StreamFailure } from "@tailrace/client";

const BY_KIND: Readonly<Record<string, string>> = {
  invalid_request: "The server did not accept this request.",
  authentication: "The server asks for a key, or does not accept the one it was given.",
  permission: "This is not allowed with the key in use.",
  not_found: "The server does not know this model, or no longer has this answer.",
  conflict: "This contradicts an earlier request.",
  too_large: "The conversation has become too large. Start a new chat, or shorten your message.",
  rate_limit: "Too many requests just now.",
  overloaded: "The model is overloaded just now.",
  timeout: "The model took too long.",
  billing: "The provider's account does not pay for this.",
  unreachable: "No connection. The server, or the model behind it, could not be reached.",
  upstream: "The model's provider reported an error.",
  protocol: "What came was not an answer this page understands.",
  truncated: "The model's provider broke off before the answer was complete.",
  interrupted: "The relay lost this answer before it was complete.",
  internal: "Something went wrong inside the relay.",
};

const BY_ENDING: Readonly<Partial<Record<Ending, string>>> = {
  timed_out: "The model took too long, and the answer was ended.",
  truncated: BY_KIND["truncated"] ?? "",
  interrupted: BY_KIND["interrupted"] ?? "",
};

export function sentenceFor(ending: Ending, error: StreamFailure): string {
  // A lost connection is `interrupted` as well, but what to do about it depends on the kind.
  if (error.kind === "unreachable" || error.kind === "not_found") return BY_KIND[error.kind] ?? "";
  return BY_ENDING[ending] ?? BY_KIND[error.kind] ?? "The answer could not be completed.";
}

/** What the other side said, where it adds to the sentence. */
export function detailOf(error: StreamFailure): string {
  return error.message.trim();
}

/** Code, status and stream, for whoever looks it up in a log. */
export function referenceOf(error: StreamFailure, streamId: string | null): string {
  const parts = [error.code ?? error.kind];
  if (error.status !== null) parts.push(`HTTP ${error.status}`);
  if (streamId !== null) parts.push(streamId);
  return parts.join(" · ");
}
