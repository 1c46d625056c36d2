import { Relay } from "@tailrace/client";

import { App } from "./app.ts";
import { Store } from "./store.ts";

// With the stream's name at once, Stop works before the first token; failures are then told in the stream.
const relay = new Relay({ headers: { "tailrace-open-early": "1" } });
const app = new App(relay, new Store(sessionStorage, localStorage));
void app.start();
