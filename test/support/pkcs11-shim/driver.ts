import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Shim } from '../pkcs11-shim';
import type { SoftHsm } from '../softhsm';

/** A PKCS#11 call that did not answer CKR_OK. */
export class CkrError extends Error {
  constructor(
    readonly code: number,
    message: string,
  ) {
    super(message);
  }
}

/** A slot, session or object, as pkcs11js has it: the 8 bytes of a CK_ULONG. */
export type Handle = Uint8Array;

/** A handle as the call log has it. */
export const handleNumber = (handle: Handle): number => Number(Buffer.from(handle).readBigUInt64LE());

/** What the process needs to find the token and log in. */
type DriverToken = Pick<SoftHsm, 'env' | 'label' | 'pin'>;

interface Answer {
  readonly value?: unknown;
  readonly code?: number;
  readonly message?: string;
}

/** A process that makes PKCS#11 calls through the shim, one at a time. */
export class Driver {
  private constructor(
    readonly child: ChildProcess,
    private readonly token: DriverToken,
    private readonly module: string,
  ) {}

  /** Forks the process and initialises the module in it. */
  static async start(shim: Shim, token: DriverToken): Promise<Driver> {
    const child = fork(join(__dirname, 'driver-process.cjs'), {
      env: { ...process.env, ...token.env, ...shim.env },
      serialization: 'advanced',
      silent: true,
    });
    const driver = new Driver(child, token, shim.module);
    await driver.call('start', driver.module);
    return driver;
  }

  /** Calls a function of PKCS#11, or a step of driver-process.cjs. Rejects with CkrError, or when the process ends. */
  async call<T = Handle>(name: string, ...values: unknown[]): Promise<T> {
    const ended = new AbortController();
    const answered = once(this.child, 'message', { signal: ended.signal });
    const gone = once(this.child, 'exit', { signal: ended.signal });
    try {
      this.child.send({ name, values });
      const [first] = await Promise.race([
        answered,
        gone.then(([, signal]) => [{ code: -1, message: signal }]),
      ]);
      const answer = first as Answer;
      if (answer.code !== undefined) throw new CkrError(answer.code, `${name}: ${answer.message}`);
      return answer.value as T;
    } finally {
      ended.abort();
      await Promise.allSettled([answered, gone]);
    }
  }

  findSlot(): Promise<Handle> {
    return this.call('findSlot', this.token.label);
  }

  /** Opens a read-write session. */
  async openSession(): Promise<Handle> {
    return this.call('C_OpenSession', await this.findSlot(), 6);
  }

  /** Opens a session and logs in. */
  async login(): Promise<Handle> {
    const session = await this.openSession();
    await this.call('C_Login', session, 1, this.token.pin);
    return session;
  }

  async kill(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const exited = once(this.child, 'exit');
    this.child.kill('SIGKILL');
    await exited;
  }
}
