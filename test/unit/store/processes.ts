import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { StoreAddress } from '../../../src/store/store';
import { urlOf } from './fixture';

/** Starts in-process.cjs. */
export function inProcess(what: 'open' | 'alone', address: StoreAddress, ...more: string[]): ChildProcess {
  const place = typeof address === 'string' ? address : urlOf(address);
  return fork(join(__dirname, 'in-process.cjs'), [what, place, ...more], { timeout: 30_000 });
}

/** What it sends next. */
export const messageOf = async (child: ChildProcess): Promise<unknown> => (await once(child, 'message'))[0];

export async function ended(child: ChildProcess): Promise<NodeJS.Signals | number | null> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  return child.signalCode ?? child.exitCode;
}
