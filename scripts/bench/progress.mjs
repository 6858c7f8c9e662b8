/** What is being measured, on stderr: one line that changes on a terminal, a line a step elsewhere. */
export class Progress {
  #step = 0;
  #steps;
  #rounds;
  #begun = performance.now();

  constructor(rounds, parts) {
    this.#rounds = rounds;
    this.#steps = rounds * parts;
    this.#show('warming up');
  }

  next(round, what) {
    const percent = Math.floor((100 * this.#step++) / this.#steps);
    this.#show(`${String(percent).padStart(3)} %  round ${round + 1} of ${this.#rounds}  ${what}`);
  }

  done() {
    this.#show(`done in ${Math.round((performance.now() - this.#begun) / 1000)} s`);
    if (process.stderr.isTTY) process.stderr.write('\n');
  }

  #show(text) {
    process.stderr.write(process.stderr.isTTY ? `\r\x1b[K${text}` : `${text}\n`);
  }
}
