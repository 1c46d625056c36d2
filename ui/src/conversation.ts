/** The row of turns on the page. Turns are drawn once and kept; only the answer being written changes. */

import { AnswerView } from "./answer-view.ts";
import type { Answer, Question, Turn } from "./chat.ts";
import { serveCodeCopies } from "./copy-button.ts";
import { emptyState, type Sample } from "./empty-state.ts";
import { QuestionView } from "./question-view.ts";

export interface ConversationActions {
  ask(sample: Sample): void;
  edit(): void;
  retry(): void;
}

export class ConversationView {
  readonly #log: HTMLElement;
  readonly #actions: ConversationActions;
  readonly #views = new Map<Turn, AnswerView | QuestionView>();

  constructor(log: HTMLElement, actions: ConversationActions) {
    this.#log = log;
    this.#actions = actions;
    serveCodeCopies(log);
  }

  /** Shows exactly these turns: new ones are added, those that are gone removed. `documents`: the model writes them. */
  show(turns: readonly Turn[], documents: boolean): void {
    const wanted = new Set(turns);
    for (const [turn, view] of this.#views) {
      if (wanted.has(turn)) continue;
      view.root.remove();
      this.#views.delete(turn);
    }
    this.#log.querySelector(".empty")?.remove();
    if (turns.length === 0) this.#log.append(emptyState((sample) => this.#actions.ask(sample), documents));
    const lastQuestion = turns.findLastIndex((turn) => turn.role === "question");
    for (const [i, turn] of turns.entries()) {
      const last = turn.role === "question" ? i === lastQuestion : i === turns.length - 1;
      this.#view(turn).update(last);
    }
  }

  /** The answer has changed. */
  update(answer: Answer, last: boolean): void {
    this.#views.get(answer)?.update(last);
  }

  #view(turn: Turn): AnswerView | QuestionView {
    const known = this.#views.get(turn);
    if (known !== undefined) return known;
    const view = turn.role === "question" ? this.#question(turn) : this.#answer(turn);
    this.#views.set(turn, view);
    this.#log.append(view.root);
    return view;
  }

  #question(turn: Question): QuestionView {
    return new QuestionView(turn, () => this.#actions.edit());
  }

  #answer(turn: Answer): AnswerView {
    return new AnswerView(turn, () => this.#actions.retry());
  }
}
