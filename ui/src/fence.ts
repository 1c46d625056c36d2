/** Fenced code that has begun and not ended: found line by line, so that a long listing costs its length once. */

export class OpenFence {
  readonly #marker: string;

  /** A line has come that closes the fence; nothing of what follows is code. */
  closed = false;

  /** The last line, whose end has not come. */
  #line = "";

  /** Code that has not been taken. */
  #ready = "";

  /** Characters of the last line that are in `#ready` or have been taken; null while not even the line feed before it
   * is: the last line feed of the code is not shown, nor a last line that may still turn out to be the end. */
  #begun: number | null = 0;

  private constructor(marker: string) {
    this.#marker = marker;
  }

  /** The fence that `text` begins with, its info line being complete; null when it begins with something else, or the
   * fence has ended. An indented fence is left to the parser, which has to take that indentation from every line. */
  static at(text: string): OpenFence | null {
    const match = /^\n*(?:(`{3,})[^`\n]*|(~{3,})[^\n]*)\n/.exec(text);
    if (match === null) return null;
    const fence = new OpenFence(match[1] ?? match[2] ?? "");
    fence.push(text.slice(match[0].length));
    return fence.closed ? null : fence;
  }

  push(piece: string): void {
    const lines = (this.#line + piece).split("\n");
    this.#line = lines.pop() ?? "";
    for (const line of lines) {
      if (closesFence(line, this.#marker)) {
        this.closed = true;
        return;
      }
      this.#show(line);
      this.#begun = null;
    }
  }

  /** Returns the code to append to what was taken before. */
  take(): string {
    if (!mayCloseFence(this.#line, this.#marker)) this.#show(this.#line);
    const code = this.#ready;
    this.#ready = "";
    return code;
  }

  #show(line: string): void {
    if (this.#begun === null) this.#ready += "\n";
    this.#ready += line.slice(this.#begun ?? 0);
    this.#begun = line.length;
  }
}

/** Whether `line` closes a fence of `marker`: up to three spaces, at least as many of the same character, then nothing
 * (CommonMark 4.5). */
function closesFence(line: string, marker: string): boolean {
  const bare = line.replace(/^ {0,3}/, "").trimEnd();
  return bare.length >= marker.length && bare === (marker[0] ?? "").repeat(bare.length);
}

/** Whether an unfinished `line` may still become one that closes a fence of `marker`. */
function mayCloseFence(line: string, marker: string): boolean {
  const bare = line.replace(/^ {0,3}/, "");
  return bare === (marker[0] ?? "").repeat(bare.length);
}
