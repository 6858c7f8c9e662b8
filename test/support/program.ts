import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/** A program that a test runs, with what it has printed so far (standard output and error as one text). */
export class Program {
  readonly #child: ChildProcess;
  /** Null after a signal. */
  readonly exitCode: Promise<number | null>;
  output = '';

  constructor(command: string, args: readonly string[], options: { env: NodeJS.ProcessEnv; cwd?: string }) {
    this.#child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.output += text;
      });
    }
    this.exitCode = once(this.#child, 'close').then(([code]) => code as number | null);
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error('the program did not start');
    return this.#child.pid;
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Resolves when the program has printed `wanted`; rejects, with what it printed, when it ends before that. */
  async printed(wanted: string): Promise<void> {
    let ended = false;
    void this.exitCode.then(() => {
      ended = true;
    });
    while (!this.output.includes(wanted)) {
      if (ended) throw new Error(`the program ended before it printed "${wanted}":\n${this.output}`);
      await delay(10);
    }
  }
}

/** Runs a program to its end. */
export async function runToEnd(
  command: string,
  args: readonly string[],
  options: { env: NodeJS.ProcessEnv; cwd?: string },
): Promise<{ exitCode: number | null; output: string }> {
  const program = new Program(command, args, options);
  const exitCode = await program.exitCode;
  return { exitCode, output: program.output };
}

/** A TCP port of loopback that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  await new Promise((resolve) => server.close(resolve));
  return address.port;
}
