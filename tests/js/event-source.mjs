// Follows a stream with npm's eventsource until the server says that there is no more.
//
//   node event-source.mjs URL NAME…   listens to events of these names and prints one line of JSON:
//                                     {events: [[name, id, data]…], opened, errors}
import { EventSource } from "eventsource";

const [url, ...names] = process.argv.slice(2);
const seen = { events: [], opened: 0, errors: 0 };
const source = new EventSource(url);

for (const name of names) {
  source.addEventListener(name, ({ data, lastEventId }) => {
    if (data !== undefined) seen.events.push([name, lastEventId, data]); // a lost connection is an "error", too
  });
}
source.addEventListener("open", () => (seen.opened += 1));
source.addEventListener("error", () => {
  seen.errors += 1;
  if (source.readyState === EventSource.CLOSED) console.log(JSON.stringify(seen));
});
