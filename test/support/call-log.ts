import { readdirSync } from 'node:fs';
import type { ShimCall, ShimTemplate } from './pkcs11-shim';

const CKR_OK = 0;

/** A session object that is still there. */
export interface LeftObject {
  readonly pid: number;
  readonly session: number;
  readonly handle: number;
  /** The function that made it. */
  readonly by: string;
}

/** Whether a call took effect, whatever its caller was told. */
const tookEffect = ({ rv, rule }: ShimCall): boolean => rv === CKR_OK || rule === 'fail-after';

/**
 * The session objects that were made and not destroyed. They go with their session, as a session goes with
 * its process: only processes that still run can have any.
 */
export function sessionObjectsLeft(log: readonly ShimCall[]): LeftObject[] {
  let left: LeftObject[] = [];
  for (const call of log) {
    const { pid, session = 0 } = call;
    if (!tookEffect(call)) continue;
    for (const [index, handle] of (call.created ?? []).entries()) {
      const onToken = call.templates?.[index]?.flags.TOKEN;
      if (!onToken) left.push({ pid, session, handle, by: call.function });
    }
    left = left.filter((object) => object.pid !== pid || !ends(call, object));
  }
  const running = new Set(readdirSync('/proc'));
  return left.filter(({ pid }) => running.has(String(pid)));
}

function ends({ function: name, session, objects }: ShimCall, object: LeftObject): boolean {
  if (name === 'C_Finalize') return true;
  if (name === 'C_CloseSession') return session === object.session;
  return name === 'C_DestroyObject' && objects?.[0] === object.handle;
}

/** A template that something was made with. */
export interface Making {
  readonly by: string;
  readonly template: ShimTemplate;
}

/** The templates of all that was made on the token, by whatever function. */
export function makings(log: readonly ShimCall[]): Making[] {
  return log
    .filter(({ created }) => created)
    .flatMap(({ function: by, templates = [] }) => templates.map((template) => ({ by, template })));
}

/** Every attribute type that was ever read, in order. */
export function typesRead(log: readonly ShimCall[]): number[] {
  const all = log
    .filter((call) => call.function === 'C_GetAttributeValue')
    .flatMap(({ types = [] }) => types);
  return [...new Set(all)].sort((one, other) => one - other);
}
