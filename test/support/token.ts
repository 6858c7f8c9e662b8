import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { StartError } from '../../src/errors';
import type { TokenObject } from '../../src/hsm/jobs';
import type { TokenObserver } from '../../src/hsm/observer';
import { startToken, type Token, type TokenOptions } from '../../src/hsm/token';
import { createNss, NSS_MODULE } from './nss';
import { createShim, type Shim } from './pkcs11-shim';
import { createSoftHsm, SOFTHSM_MODULE, type SoftHsm } from './softhsm';

type Event<N extends keyof TokenObserver> = Parameters<TokenObserver[N]>[0];

/** What a token told its observer, and what it ended with. */
export interface Events {
  readonly jobs: Event<'jobDone'>[];
  readonly started: Event<'workerStarted'>[];
  readonly ended: Event<'workerEnded'>[];
  readonly failed: Event<'workerFailed'>[];
  readonly output: Event<'moduleOutput'>[];
  readonly fatal: StartError[];
}

/** A started token with what it tells. */
export interface OpenToken extends Token {
  readonly events: Events;
  /** The workers that started and have not ended. */
  pids(): number[];
}

/** A PKCS#11 token made for one test, and the way to start p11kms's token layer on it. */
export interface TestToken {
  readonly name: string;
  readonly label: string;
  readonly pin: string;
  /** A temporary directory for this token alone. */
  readonly directory: string;
  readonly dataDir: string;
  readonly serviceKey: TokenObject;
  /** What `startToken` is to be given. The PIN is a copy, because the token layer wipes it. */
  options(overrides?: Partial<TokenOptions>): TokenOptions & { readonly events: Events };
  /** Starts the token layer on it; `remove` closes it where the test does not. */
  open(overrides?: Partial<TokenOptions>): Promise<OpenToken>;
  /** Closes what was opened and deletes the token. */
  remove(): Promise<void>;
}

/** One behind the shim, which writes down all calls and misbehaves on request. */
export interface ShimmedToken extends TestToken {
  readonly shim: Shim;
}

interface Made {
  readonly name: string;
  readonly address: Pick<TokenOptions, 'module' | 'tokenLabel' | 'initArgs' | 'gcmIv'>;
  readonly env: Readonly<Record<string, string>>;
  readonly pin: string;
  readonly directory: string;
  remove(): void;
}

/** SoftHSM2. */
export async function softHsm(hsm: SoftHsm = createSoftHsm()): Promise<TestToken> {
  return testToken({
    name: 'SoftHSM2',
    address: { module: SOFTHSM_MODULE, tokenLabel: hsm.label, gcmIv: 'host' },
    ...hsm,
  });
}

/** SoftHSM2 behind the shim. */
export async function shimmedSoftHsm(...rules: string[]): Promise<ShimmedToken> {
  const hsm = createSoftHsm();
  const shim = await createShim(hsm.directory);
  shim.set(...rules);
  const gcmIv = rules.includes('own-iv') ? 'token' : 'host';
  const made = testToken({
    name: 'SoftHSM2 behind the shim',
    address: { module: shim.module, tokenLabel: hsm.label, gcmIv },
    ...hsm,
    env: { ...hsm.env, ...shim.env },
  });
  return { ...made, shim };
}

/** NSS's softokn. */
export async function nss(pin?: string): Promise<TestToken> {
  const token = createNss(pin);
  return testToken({
    name: 'NSS',
    address: { module: NSS_MODULE, initArgs: token.initArgs, tokenLabel: token.label, gcmIv: 'host' },
    env: {},
    ...token,
  });
}

/** NSS's softokn behind the shim. */
export async function shimmedNss(): Promise<ShimmedToken> {
  const token = createNss();
  const shim = await createShim(token.directory, NSS_MODULE);
  const made = testToken({
    name: 'NSS behind the shim',
    address: { module: shim.module, initArgs: token.initArgs, tokenLabel: token.label, gcmIv: 'host' },
    ...token,
    env: shim.env,
  });
  return { ...made, shim };
}

function testToken({ name, address, env, pin, directory, remove }: Made): TestToken {
  const serviceKey = { id: randomBytes(16).toString('hex'), label: 'p11kms/test/service' };
  const dataDir = join(directory, 'data');
  const opened: Token[] = [];
  // Workers inherit the environment of the process that starts them: in jest, this copy of it.
  Object.assign(process.env, env);

  const options: TestToken['options'] = (overrides = {}) => {
    const events: Events = { jobs: [], started: [], ended: [], failed: [], output: [], fatal: [] };
    return {
      ...address,
      pin: Buffer.from(pin),
      serviceKey: { ...serviceKey, mayCreate: true },
      dataDir,
      tokenWorkers: 2,
      keyPairWorkers: 1,
      tokenTimeoutMs: 20_000,
      keyPairTimeoutMs: 60_000,
      queue: 1_000,
      workerJobs: 1_000_000,
      observer: {
        jobDone: (event) => void events.jobs.push(event),
        workerStarted: (event) => void events.started.push(event),
        workerEnded: (event) => void events.ended.push(event),
        workerFailed: (event) => void events.failed.push(event),
        moduleOutput: (event) => void events.output.push(event),
      },
      onFatal: (error) => void events.fatal.push(error),
      ...overrides,
      events,
    };
  };
  const open = async (overrides?: Partial<TokenOptions>): Promise<OpenToken> => {
    const { events, ...given } = options(overrides);
    const token = await startToken(given);
    opened.push(token);
    const pids = () => {
      const gone = new Set(events.ended.map(({ pid }) => pid));
      return events.started.map(({ pid }) => pid).filter((pid) => !gone.has(pid));
    };
    return { ...token, events, pids };
  };
  const removeAll = async () => {
    await Promise.all(opened.map((token) => token.close(0)));
    for (const variable of Object.keys(env)) delete process.env[variable];
    remove();
  };
  return {
    name,
    label: address.tokenLabel,
    pin,
    directory,
    dataDir,
    serviceKey,
    options,
    open,
    remove: removeAll,
  };
}

/** Waits until `condition` holds. */
export async function until(what: string, condition: () => boolean, timeoutMs = 15_000): Promise<void> {
  const end = Date.now() + timeoutMs;
  while (!condition()) {
    if (Date.now() > end) throw new Error(`waited ${timeoutMs} ms in vain: ${what}`);
    await sleep(20);
  }
}
