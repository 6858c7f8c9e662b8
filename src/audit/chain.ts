/**
 * The lines of a chain on their way to the disk. One commit is in flight at a time: what comes meanwhile goes with the
 * next.
 */
import { KmsError } from '../errors';
import { type Covered, fileMembers, hashOf, lineOf, MAX_LINE_BYTES, NO_HASH } from './lines';
import type { LogFile } from './log-file';
import { refusal, Space, type SpaceOptions } from './space';

export interface ChainEvents {
  /** After each commit, and before those who wait for it hear of it. Must not throw. */
  putHead(head: Covered): Promise<void>;
  onTrouble(message: string, error: unknown): void;
}

interface Waiting {
  readonly members: string;
  readonly reserved: number;
  readonly resolve: () => void;
  readonly reject: (error: KmsError) => void;
}

/** So that a commit does not keep the first who wait waiting for the last. */
const COMMIT_BYTES = 1_048_576;

export class Chain {
  readonly #options: SpaceOptions;
  readonly #events: ChainEvents;
  readonly #space: Space;
  readonly #waiting: Waiting[] = [];
  #head: Covered = { sequence: 0, hash: NO_HASH };
  #buffer = Buffer.allocUnsafe(MAX_LINE_BYTES);
  #running: Promise<void> | undefined;
  #finishing: Promise<void> | undefined;
  #broken: KmsError | undefined;

  private constructor(options: SpaceOptions, events: ChainEvents, space: Space) {
    this.#options = options;
    this.#events = events;
    this.#space = space;
  }

  /**
   * Begins a chain in a new file.
   *
   * @param firstLine its members
   * @throws NoRoomError where the file cannot be made
   * @throws KmsError AUDIT_UNAVAILABLE where it cannot be written
   */
  static async begin(firstLine: string, options: SpaceOptions, events: ChainEvents): Promise<Chain> {
    const space = await Space.create(options, {
      onNextFile: () => chain.#start(),
      onNoRoom: (error) => events.onTrouble('the audit log cannot be extended', error),
      onBroken: (error) => chain.#breakOff(error),
    });
    const chain = new Chain(options, events, space);
    await chain.add(firstLine, options.headBytes);
    return chain;
  }

  /** The last line that is on disk. */
  get head(): Covered {
    return this.#head;
  }

  /**
   * Makes sure that there is room on disk for a line.
   *
   * @throws KmsError AUDIT_UNAVAILABLE
   */
  reserve(bytes: number): Promise<void> {
    return this.#space.reserve(bytes);
  }

  /** What was reserved is not needed. */
  giveBack(bytes: number): void {
    this.#space.giveBack(bytes);
  }

  /**
   * Adds a line, for which so many bytes were reserved. Resolves when it is on disk.
   *
   * @throws KmsError AUDIT_UNAVAILABLE
   */
  add(members: string, reserved: number): Promise<void> {
    if (this.#broken) return Promise.reject(this.#broken);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ members, reserved, resolve, reject });
      this.#start();
    });
  }

  /** Refuses reservations, and resolves when nothing waits to be written and the chain goes on in no other file. */
  async stop(): Promise<void> {
    await this.#running;
    await this.#space.end(refusal('the audit log is closed.'));
    await this.#running;
  }

  /** Trims the file and closes it. To be called after `stop`. */
  async close(): Promise<void> {
    await this.#running;
    await this.#finishing;
    if (this.#broken) await this.#space.file.abandon().catch(() => undefined);
    else await this.#finish(this.#space.file);
  }

  /** Nobody knows what is on disk. What failed once may seem to succeed when it is tried again: that proves nothing. */
  #breakOff(cause: unknown): void {
    if (!this.#broken)
      this.#events.onTrouble('the audit log cannot be written: all is refused until a restart', cause);
    const message = 'The answer is withheld because the request could not be recorded.';
    this.#broken ??= new KmsError('AUDIT_UNAVAILABLE', message, { cause });
    for (const { reject } of this.#waiting.splice(0)) reject(this.#broken);
    // It clears away a next file: on a disk that fails that may fail as well, and is not worth another word.
    this.#space.end(refusal('the audit log cannot be written.', cause)).catch(() => undefined);
  }

  #start(): void {
    this.#running ??= this.#run();
  }

  async #run(): Promise<void> {
    // What arrives in the same turn of the event loop goes together.
    await new Promise((resolve) => setImmediate(resolve));
    while (!this.#broken && (this.#waiting.length > 0 || this.#space.hasNext)) await this.#commit();
    this.#running = undefined;
  }

  async #commit(): Promise<void> {
    const turns = this.#space.hasNext;
    if (turns) this.#finishing = this.#finish(this.#space.turn());
    const commit = take(this.#waiting);
    try {
      const { lines, last } = this.#linesOf(commit, turns);
      await this.#space.file.append(lines);
      this.#head = last;
    } catch (error) {
      this.#waiting.unshift(...commit);
      return this.#breakOff(error);
    }
    this.#space.giveBack(bytesOf(commit) + (turns ? this.#options.headBytes : 0));
    await this.#events.putHead(this.#head);
    for (const { resolve } of commit) resolve();
  }

  /** A commit's lines, one behind the other, in a buffer that the next commit uses again. */
  #linesOf(commit: readonly Waiting[], turns: boolean): { lines: Buffer; last: Covered } {
    const { chain, headBytes } = this.#options;
    const bound = bytesOf(commit) + headBytes;
    if (this.#buffer.length < bound) this.#buffer = Buffer.allocUnsafe(bound);
    const buffer = this.#buffer;
    let { sequence, hash } = this.#head;
    let end = 0;
    const put = (members: string) => {
      const begin = end;
      end += buffer.write(lineOf(++sequence, hash, members), end);
      hash = hashOf(buffer.subarray(begin, end - 1));
    };
    if (turns) put(fileMembers(new Date(), chain, this.#space.number));
    for (const { members } of commit) put(members);
    return { lines: buffer.subarray(0, end), last: { sequence, hash } };
  }

  async #finish(file: LogFile): Promise<void> {
    await this.#finishing;
    await file
      .finish()
      .catch((error: unknown) => this.#events.onTrouble(`${file.path} could not be closed`, error));
  }
}

const bytesOf = (lines: readonly Waiting[]): number => lines.reduce((sum, { reserved }) => sum + reserved, 0);

/** The first who wait, as many as go into one commit. */
function take(waiting: Waiting[]): Waiting[] {
  let bytes = 0;
  let count = 0;
  for (const { reserved } of waiting) {
    bytes += reserved;
    if (count > 0 && bytes > COMMIT_BYTES) break;
    count++;
  }
  return waiting.splice(0, count);
}
