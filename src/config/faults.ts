/** What is wrong with the settings, by the place where it is: the first fault of a place is kept. */
export class Faults {
  readonly #lines = new Map<string, string>();

  /** `fault` follows `place` in the message: "environment variable P11KMS_PORT", "must be …". */
  add(place: string, fault: string): void {
    if (this.#lines.has(place)) return;
    // Names and paths come from outside: a fault stays one line whatever is in them.
    this.#lines.set(place, `${place} ${fault}`.replace(/[\p{Cc}\u2028\u2029]/gu, '?'));
  }

  get lines(): string[] {
    return [...this.#lines.values()];
  }
}
