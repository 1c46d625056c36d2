import { Relay } from "@tailrace/client";

import { App } from "./app.ts";
import { Store } from "./store.ts";

const app = new App(new Relay(), new Store(sessionStorage, localStorage));
void app.start();
