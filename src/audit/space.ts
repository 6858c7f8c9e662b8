/**
 * Room for records, promised before they are made. It is taken from the disk ahead of need and in the background; only
 * where a disk is full, or slower than the requests, does anybody wait for it.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { KmsError } from '../errors';
import { fileName } from './lines';
import { createLogFile, type LogFile, NoRoomError, syncDirectory } from './log-file';

export interface SpaceOptions {
  readonly dir: string;
  readonly chain: string;
  /** After so many bytes a file is followed by the next. */
  readonly fileBytes: number;
  /** A file is extended by so many bytes at a time. */
  readonly stepBytes: number;
  /** What the first line of a file takes at most. */
  readonly headBytes: number;
}

export interface SpaceEvents {
  /** The next file is there: the chain goes on in it once it calls `turn`. */
  onNextFile(): void;
  /** Once for each time that there is no more room to be had. */
  onNoRoom(error: NoRoomError): void;
  /** Nobody knows what is on disk. */
  onBroken(error: unknown): void;
}

interface Waiter {
  readonly bytes: number;
  readonly resolve: () => void;
  readonly reject: (error: KmsError) => void;
}

/** A full disk is not asked again and again on behalf of nobody. */
const RETRY_MS = 1_000;

export const refusal = (why: string, cause?: unknown): KmsError =>
  new KmsError('AUDIT_UNAVAILABLE', `The request was refused because it cannot be recorded: ${why}`, {
    cause,
  });

export class Space {
  readonly #options: SpaceOptions;
  readonly #events: SpaceEvents;
  #file: LogFile;
  #number = 1;
  #next: LogFile | undefined;
  /** What has been promised of the file, and not been written. */
  #reserved: number;
  #waiters: Waiter[] = [];
  #growth: Promise<void> | undefined;
  #noRoomSince: number | undefined;
  #ended: KmsError | undefined;

  private constructor(options: SpaceOptions, events: SpaceEvents, file: LogFile) {
    this.#options = options;
    this.#events = events;
    this.#file = file;
    this.#reserved = options.headBytes;
  }

  /**
   * Makes the chain's first file. The room for its first line is reserved.
   *
   * @throws NoRoomError
   */
  static async create(options: SpaceOptions, events: SpaceEvents): Promise<Space> {
    const { dir, chain, headBytes, stepBytes } = options;
    const file = await createLogFile(join(dir, fileName(chain, 1)), headBytes + stepBytes);
    return new Space(options, events, file);
  }

  /** The file that is written to. */
  get file(): LogFile {
    return this.#file;
  }

  /** Of that file, from 1. */
  get number(): number {
    return this.#number;
  }

  get hasNext(): boolean {
    return this.#next !== undefined;
  }

  /** @throws KmsError AUDIT_UNAVAILABLE where there is no room, or after `end` */
  reserve(bytes: number): Promise<void> {
    if (this.#ended) return Promise.reject(this.#ended);
    return new Promise((resolve, reject) => {
      this.#waiters.push({ bytes, resolve, reject });
      this.#serve();
    });
  }

  /** What was reserved has been written, or is not needed. */
  giveBack(bytes: number): void {
    this.#reserved -= bytes;
    if (this.#waiters.length > 0) this.#serve();
  }

  /**
   * Goes on in the next file, where there is room for all that has been promised and for a first line. Returns the file
   * before.
   */
  turn(): LogFile {
    if (!this.#next) throw new Error('there is no next file');
    const before = this.#file;
    this.#file = this.#next;
    this.#next = undefined;
    this.#number++;
    this.#reserved += this.#options.headBytes;
    return before;
  }

  /** Refuses who waits and who comes. Resolves when the disk is left alone, and no next file is left. */
  async end(why: KmsError): Promise<void> {
    this.#ended ??= why;
    this.#refuse(why);
    await this.#growth;
    const next = this.#next;
    this.#next = undefined;
    if (!next) return;
    await next.abandon();
    rmSync(next.path);
    syncDirectory(this.#options.dir);
  }

  get #free(): number {
    return this.#file.allocated - this.#file.written - this.#reserved;
  }

  #serve(): void {
    for (let [first] = this.#waiters; first && first.bytes <= this.#free; [first] = this.#waiters) {
      this.#reserved += first.bytes;
      this.#waiters.shift();
      first.resolve();
    }
    const mayAsk = this.#noRoomSince === undefined || performance.now() - this.#noRoomSince > RETRY_MS;
    if (this.#waiters.length > 0 || (this.#free < this.#options.stepBytes / 2 && mayAsk)) this.#grow();
  }

  #refuse(error: KmsError): void {
    for (const { reject } of this.#waiters.splice(0)) reject(error);
  }

  #grow(): void {
    if (this.#growth || this.#next || this.#ended) return;
    this.#growth = this.#growOnce().finally(() => {
      this.#growth = undefined;
      this.#serve();
    });
  }

  async #growOnce(): Promise<void> {
    try {
      await this.#extend();
      this.#noRoomSince = undefined;
    } catch (error) {
      if (error instanceof NoRoomError) this.#noRoom(error);
      else this.#events.onBroken(error);
    }
  }

  /** There is no more of a file that is long enough. Its successor must hold all that was promised of this one. */
  async #extend(): Promise<void> {
    const { dir, chain, fileBytes, stepBytes, headBytes } = this.#options;
    const file = this.#file;
    const wanted = this.#waiters.reduce((sum, { bytes }) => sum + bytes, 1);
    const step = Math.ceil(wanted / stepBytes) * stepBytes;
    if (file.written < fileBytes) return file.grow(step);
    const path = join(dir, fileName(chain, this.#number + 1));
    this.#next = await createLogFile(path, headBytes + file.allocated - file.written + step);
    this.#events.onNextFile();
  }

  #noRoom(error: NoRoomError): void {
    if (this.#noRoomSince === undefined) this.#events.onNoRoom(error);
    this.#noRoomSince = performance.now();
    const what = error.isFull ? 'has no space left' : 'cannot be extended';
    this.#refuse(refusal(`the audit log ${what}.`, error));
  }
}
