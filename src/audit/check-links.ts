/** Whether the lines of a chain follow each other, and which does not where one does not. */
import type { Findings, Place } from './findings';
import { NO_HASH } from './lines';

interface Line {
  readonly place: Place;
  readonly hash: string;
  /** Something about it has been found. */
  readonly isFound: boolean;
}

export class LinkCheck {
  readonly #chain: string;
  readonly #findings: Findings;
  #last: Line | undefined;
  /** The line after it does not name its hash: one of the two was changed, and the next line tells which. */
  #suspect: Place | undefined;
  /** Sequences that were not where they belong, the first and the last of each stretch. */
  readonly #gaps: { readonly from: number; readonly to: number }[] = [];

  constructor(chain: string, findings: Findings) {
    this.#chain = chain;
    this.#findings = findings;
  }

  /** Of the last line that is where it belongs. */
  get sequence(): number {
    return this.#last?.place.sequence ?? 0;
  }

  get hash(): string {
    return this.#last?.hash ?? NO_HASH;
  }

  /** A line that cannot be read, where the next is expected. */
  unreadable(place: Place, hash: string): void {
    this.#changed(place, 'is not what was written: it cannot be read');
    this.#last = { place, hash, isFound: true };
  }

  /**
   * A line with what it says of itself.
   *
   * @param known the hash that the store has of the line with this sequence
   * @returns whether it is where it belongs
   */
  line(place: Place, previous: string, hash: string, known: string | undefined): boolean {
    const isNext = place.sequence === this.sequence + 1;
    const isLinked = previous === this.hash;
    if (!isNext && !isLinked && place.sequence <= this.sequence) {
      this.#misplaced(place);
      return false;
    }
    let isFound = false;
    let at = place;
    if (!isNext && isLinked) {
      at = { ...place, sequence: this.sequence + 1 };
      this.#changed(at, `says that its sequence is ${place.sequence}`);
      isFound = true;
    } else if (!isNext) {
      this.#settle();
      this.#missing(place);
    } else if (!isLinked) {
      this.#unlinked();
    } else {
      this.#settle();
    }
    if (known !== undefined && known !== hash && !isFound) {
      this.#changed(at, 'is not what the store knows of it');
      this.#suspect = undefined;
      isFound = true;
    }
    this.#last = { place: at, hash, isFound };
    return true;
  }

  /** There are no more lines. */
  end(): void {
    this.#settle();
  }

  #changed(place: Place, what: string): void {
    this.#findings.add({ kind: 'changed', chain: this.#chain, ...place, message: `the line ${what}` });
  }

  #unlinked(): void {
    const last = this.#last;
    if (last?.isFound) return;
    if (last && this.#suspect) this.#changed(last.place, 'was changed');
    this.#suspect = this.#suspect ? undefined : (last?.place ?? this.#suspect);
  }

  #settle(): void {
    if (this.#suspect) this.#changed(this.#suspect, 'was changed');
    this.#suspect = undefined;
  }

  #missing(place: Place): void {
    const gap = { from: this.sequence + 1, to: place.sequence - 1 };
    this.#gaps.push(gap);
    const message = `${sequences(gap.from, gap.to)} not there, before this line`;
    this.#findings.add({ kind: 'missing', chain: this.#chain, ...place, message });
  }

  #misplaced(place: Place): void {
    const wasMissing = this.#gaps.some(({ from, to }) => from <= place.sequence && place.sequence <= to);
    const message = wasMissing ? 'the line is not where it belongs' : 'the line stands here once more';
    const kind = wasMissing ? 'out-of-order' : 'repeated';
    this.#findings.add({ kind, chain: this.#chain, ...place, message });
  }
}

export const sequences = (from: number, to: number): string =>
  from === to ? `the line with sequence ${from} is` : `the lines with sequences ${from} to ${to} are`;
