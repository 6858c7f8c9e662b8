import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isAlive, workersOf } from '../support/processes';
import { type ShimmedToken, shimmedSoftHsm, until } from '../support/token';

/** By then a worker must have noticed that its parent is gone. */
const NOTICED_MS = 2_000;

let fixture: ShimmedToken;
let holder: ChildProcess;

beforeEach(async () => {
  fixture = await shimmedSoftHsm();
});

afterEach(async () => {
  holder.kill('SIGKILL');
  await fixture.remove();
});

function startHolder(): void {
  const {
    observer: _,
    onFatal: __,
    events: ___,
    pin,
    ...options
  } = fixture.options({ tokenTimeoutMs: 60_000 });
  const argument = JSON.stringify({ ...options, pin: pin.toString() });
  holder = fork(join(__dirname, '../support/token-holder.cjs'), [argument], { env: process.env });
}

/** The workers of a holder that has its token. */
async function holdToken(): Promise<number[]> {
  startHolder();
  const [{ pids }] = (await once(holder, 'message')) as [{ pids: number[] }];
  expect(pids).toHaveLength(3);
  expect(pids.every(isAlive)).toBe(true);
  return pids;
}

async function killHolder(): Promise<void> {
  holder.kill('SIGKILL');
  await once(holder, 'exit');
}

it('a service that is killed leaves no worker', async () => {
  const pids = await holdToken();
  await killHolder();
  await sleep(NOTICED_MS);
  expect(pids.filter(isAlive)).toEqual([]);
});

it('a service that is killed while its workers hang in native code leaves no worker', async () => {
  const pids = await holdToken();
  fixture.shim.set('C_Encrypt hang');
  holder.send('encrypt');
  await until('both hang', () => fixture.shim.count(({ rule }) => rule === 'hang') === 2);
  await killHolder();
  await sleep(NOTICED_MS);
  expect(pids.filter(isAlive)).toEqual([]);
});

it('a service that is killed while its worker hangs at the start leaves no worker', async () => {
  fixture.shim.set('C_Initialize hang');
  startHolder();
  await until('it hangs', () => fixture.shim.count(({ rule }) => rule === 'hang') === 1);
  const pids = workersOf(holder.pid);
  expect(pids).toHaveLength(1);
  await killHolder();
  await sleep(NOTICED_MS);
  expect(pids.filter(isAlive)).toEqual([]);
});

it('a service that is killed while its workers hang as they end leaves no worker', async () => {
  const pids = await holdToken();
  fixture.shim.set('C_Finalize hang');
  await killHolder();
  await sleep(NOTICED_MS);
  expect(pids.filter(isAlive)).toEqual([]);
});
