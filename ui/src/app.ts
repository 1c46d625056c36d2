/** The page's decisions: what Send, Stop, Retry, Edit, New chat and a reload do. */

import { textOf, type Relay } from "@tailrace/client";

import {
  isEmpty,
  isLive,
  isStopped,
  newAnswer,
  toMessages,
  type Answer,
  type Question,
  type Turn,
} from "./chat.ts";
import { Composer } from "./composer.ts";
import { ConversationView } from "./conversation.ts";
import { byId, make, setText } from "./dom.ts";
import { Generation } from "./generation.ts";
import { icon } from "./icons.ts";
import { LiveRegion } from "./live-region.ts";
import { ModelPicker } from "./model-picker.ts";
import { RenderLoop } from "./render-loop.ts";
import { FollowScroll } from "./scroll.ts";
import { sentenceFor } from "./sentences.ts";
import type { Store } from "./store.ts";

/** Output tokens to ask for. A local model's whole context is about 2 k. */
const MAX_TOKENS = { local: 1024, other: 4096 };

export class App {
  readonly #relay: Relay;
  readonly #store: Store;
  #turns: Turn[];
  /** The answer that is being written; null while none is. */
  #current: Generation | null = null;

  readonly #log = byId("log", HTMLElement);
  readonly #banner = byId("banner", HTMLElement);
  readonly #status = byId("status", HTMLElement);
  readonly #jump = byId("jump", HTMLButtonElement);
  readonly #conversation: ConversationView;
  readonly #composer: Composer;
  readonly #models: ModelPicker;
  readonly #scroll: FollowScroll;
  readonly #announcer = new LiveRegion(byId("announcer", HTMLElement));
  readonly #loop = new RenderLoop(() => this.#draw());

  constructor(relay: Relay, store: Store) {
    this.#relay = relay;
    this.#store = store;
    this.#turns = store.load();
    this.#conversation = new ConversationView(this.#log, {
      ask: ({ prompt, schema }) => void this.#send(prompt, schema),
      edit: () => this.#composer.edit(),
      retry: () => this.#retry(),
    });
    this.#composer = new Composer({
      send: (text) => void this.#send(text),
      stop: () => this.#stop(),
      lastQuestion: () => (this.#busy ? null : (this.#lastQuestion()?.text ?? null)),
    });
    this.#models = new ModelPicker((id) => {
      store.model = id;
      if (this.#turns.length === 0) this.#show(); // its samples are for this model
    });
    this.#scroll = new FollowScroll(byId("scroller", HTMLElement), () => this.#showJump());
    // The message box grows, a banner comes, a keyboard opens: who follows goes on following.
    new ResizeObserver(() => this.#scroll.grown()).observe(byId("scroller", HTMLElement));
    this.#listen();
  }

  async start(): Promise<void> {
    this.#show();
    this.#scroll.jump();
    this.#resumeAll();
    if (matchMedia("(pointer: fine)").matches) this.#composer.focus();
    await this.#loadModels();
  }

  get #busy(): boolean {
    return this.#current !== null && isLive(this.#current.answer);
  }

  #listen(): void {
    this.#jump.append(icon("down"), "Jump to latest");
    this.#jump.addEventListener("click", () => {
      this.#scroll.jump();
      this.#composer.focus(); // the button goes away under the focus
    });
    const newChat = byId("new-chat", HTMLButtonElement);
    newChat.append(icon("plus"), make("span", {}, "New chat"));
    newChat.addEventListener("click", () => this.#newChat());
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && !event.isComposing) {
        if (!this.#composer.cancelEdit()) this.#stop();
      } else if (event.code === "KeyO" && event.ctrlKey && event.shiftKey) {
        event.preventDefault();
        this.#newChat();
      }
    });
    const wake = (): void => {
      this.#current?.wake();
      if (this.#models.chosen === null) void this.#loadModels();
    };
    addEventListener("online", wake);
    addEventListener("pageshow", (event) => event.persisted && wake());
    addEventListener("pagehide", () => this.#store.flush());
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible") wake();
      else this.#store.flush(); // on a phone the page may never be shown again
    });
  }

  async #loadModels(): Promise<void> {
    try {
      this.#models.show(await this.#relay.models(), this.#store.model);
      if (this.#turns.length === 0) this.#show();
      else this.#showStatus();
    } catch {
      this.#models.show([], null);
      this.#say("The server cannot be reached. Reload the page to try again.");
    }
  }

  async #send(text: string, schema?: object): Promise<void> {
    if (this.#busy) return;
    if (this.#models.chosen === null) await this.#loadModels();
    if (this.#models.chosen === null) return;
    if (this.#composer.editing) {
      schema = this.#lastQuestion()?.schema; // other words, the same form
      this.#turns.splice(this.#turns.findLastIndex((turn) => turn.role === "question"));
    }
    this.#composer.clear();
    this.#turns.push({ role: "question", text, ...(schema && { schema }) });
    this.#ask();
  }

  /** Asks for the answer to the turns so far. */
  #ask(): void {
    const model = this.#models.chosen;
    if (model === null) return;
    const schema = this.#lastQuestion()?.schema;
    const request = {
      model: model.id,
      max_tokens: model.tailrace?.local ? MAX_TOKENS.local : MAX_TOKENS.other,
      messages: toMessages(this.#turns),
      ...(schema && { output_config: { format: { type: "json_schema", schema } } }),
    };
    const answer = newAnswer(request, Date.now());
    this.#turns.push(answer);
    this.#begin(answer, (generation) => generation.ask());
    this.#scroll.jump();
  }

  #begin(answer: Answer, run: (generation: Generation) => Promise<void>): void {
    const generation = new Generation(this.#relay, answer, {
      changed: () => this.#changed(generation),
      link: (attempt) => this.#current === generation && this.#showLink(attempt),
      ended: () => this.#ended(generation),
    });
    this.#current = generation;
    this.#store.save(this.#turns);
    this.#announcer.begin(textOf(answer.message));
    this.#show();
    void run(generation);
  }

  #changed(generation: Generation): void {
    if (!this.#turns.includes(generation.answer)) return; // of a chat that is gone
    this.#store.saveSoon(this.#turns);
    if (isLive(generation.answer)) this.#loop.request();
  }

  #ended(generation: Generation): void {
    if (this.#current === generation) {
      this.#current = null;
      this.#showLink(null);
    }
    if (!this.#turns.includes(generation.answer)) return;
    this.#store.save(this.#turns);
    if (!generation.answer.stopped) this.#announceEnd(generation.answer);
    this.#show();
  }

  #stop(): void {
    const generation = this.#current;
    if (generation === null || !isLive(generation.answer)) return;
    generation.stop();
    this.#store.save(this.#turns);
    this.#announcer.say("Stopped.");
    this.#showLink(null);
    this.#show();
  }

  #retry(): void {
    const answer = this.#turns.at(-1);
    if (this.#busy || answer?.role !== "answer") return;
    if (answer.error?.resumable && answer.streamId !== null) {
      // A new object, as what has been drawn of the old one is finished.
      const again: Answer = { ...answer, ending: null, error: null };
      this.#turns.splice(-1, 1, again);
      this.#begin(again, (generation) => generation.resume());
      return;
    }
    if (isEmpty(answer)) this.#turns.pop(); // nothing to keep
    this.#ask();
  }

  #newChat(): void {
    this.#current?.stop();
    this.#current = null;
    this.#turns = [];
    this.#store.save(this.#turns);
    this.#composer.clear();
    this.#showLink(null);
    this.#show();
    this.#composer.focus();
  }

  /** After a reload: goes on with what was being written, and finishes what was being stopped. */
  #resumeAll(): void {
    for (const turn of this.#turns) {
      if (turn.role !== "answer" || turn.ending !== null) continue;
      if (turn.stopped) {
        turn.ending = "cancelled";
        if (turn.streamId !== null) this.#relay.stop(turn.streamId).catch(() => undefined); // it ends by itself too
      } else {
        this.#begin(turn, (generation) => generation.resume());
      }
    }
    this.#show();
  }

  #lastQuestion(): Question | undefined {
    return this.#turns.findLast((turn) => turn.role === "question");
  }

  #announceEnd(answer: Answer): void {
    this.#announcer.follow(textOf(answer.message), true);
    if (isStopped(answer)) this.#announcer.say("Stopped.");
    else if (answer.error === null) this.#announcer.say("Answer complete.");
    else this.#announcer.say(sentenceFor(answer.ending ?? "failed", answer.error));
  }

  /** Draws the answer that is being written. */
  #draw(): void {
    const answer = this.#current?.answer;
    if (answer === undefined) return;
    this.#conversation.update(answer, true);
    if (isLive(answer)) this.#announcer.follow(textOf(answer.message), false);
    this.#scroll.grown();
    this.#showJump();
  }

  /** Draws everything that depends on which turns there are, and whether one is being written. */
  #show(): void {
    this.#conversation.show(this.#turns, this.#models.writesDocuments);
    this.#composer.setBusy(this.#busy);
    this.#log.setAttribute("aria-busy", String(this.#busy));
    this.#showStatus();
    this.#scroll.grown();
    this.#showJump();
  }

  #showJump(): void {
    this.#jump.hidden = this.#scroll.following;
  }

  #showLink(attempt: number | null): void {
    this.#banner.hidden = attempt === null;
    if (attempt !== null) setText(this.#banner, `reconnecting… (${attempt})`);
    this.#showStatus();
  }

  #showStatus(): void {
    if (!this.#banner.hidden) this.#say("Reconnecting…");
    else if (this.#busy) this.#say("Answering…");
    else if (!this.#store.keeps) this.#say("This conversation has become too long to survive a reload.");
    else this.#say("Ready");
  }

  #say(status: string): void {
    setText(this.#status, status);
  }
}
