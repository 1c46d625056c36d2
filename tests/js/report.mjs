// What the scripts share: their command line, and the form of what they print.
//
//   node SCRIPT URL WAY MODEL…   asks for each model at once and prints one line of JSON for each, in their order:
//                                {answer, failure, pieces} as tests/clients/outcome.py has them.

/** An answer of which nothing has come. */
export function nothing() {
  return { text: "", thinking: "", calls: [], reason: null, input_tokens: null, output_tokens: null };
}

/** Runs the script: `ways` are its functions `(client, model, outcome)`, `base` is the class of the SDK's own errors. */
export async function run(name, base, ways, connect) {
  const [url, way, ...models] = process.argv.slice(2);
  const client = connect(url);
  const outcomes = await Promise.all(models.map((model) => one(name, base, ways[way], client, model)));
  for (const outcome of outcomes) console.log(JSON.stringify(outcome));
}

async function one(name, base, ask, client, model) {
  const outcome = { answer: nothing(), failure: null, pieces: null };
  try {
    await ask(client, model, outcome);
  } catch (error) {
    const prefix = error instanceof base ? name : "js";
    const kinds = ancestors(error).map((kind) => `${prefix}.${kind}`);
    outcome.failure = { kinds, status: error.status ?? null, message: String(error.message) };
  }
  return outcome;
}

/** The names of a value's class and of those above it. */
function ancestors(value) {
  const names = [];
  for (let at = Object.getPrototypeOf(value); at; at = Object.getPrototypeOf(at))
    names.push(at.constructor.name);
  return names;
}
