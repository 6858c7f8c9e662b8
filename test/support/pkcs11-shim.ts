import { execFile, execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { SOFTHSM_MODULE } from './softhsm';

/*
 * A PKCS#11 module that stands in front of SoftHSM2 and misbehaves on request. Rules are lines; they
 * change the behaviour of processes that are already running, at their next PKCS#11 call.
 *
 * A function's rule is `C_Name ACTION… [OPTION…]`; `*` stands for every function. Rules are tried in order:
 * delays add up, the first rule that does more has the last word.
 *   delay=MS            sleep before the call
 *   fail=CKR            answer CKR, the token is not asked
 *   fail-after=CKR      ask the token, then answer CKR: the call took effect, its answer is lost
 *   hang                never return; only SIGKILL ends the process
 *   abort               call abort()
 *   times=N  skip=N     only N times, only after N calls passed; counted exactly, over all processes …
 *   per-process         … or by each process on its own
 *   mechanism=CKM       only where the call is given this mechanism
 *
 * Every other word is a setting; numbers are decimal or 0x…:
 *   token-away[=CKR]    slots are empty, calls that need the token answer CKR (CKR_TOKEN_NOT_PRESENT).
 *                       Sessions live on: call `invalidate` too where they must not
 *   hide=CKM,CKM…       the token does not have these mechanisms
 *   max-sessions=N      C_OpenSession answers CKR_SESSION_COUNT beyond N sessions in a process
 *   set-flags=F clear-flags=F free-private-memory=N total-private-memory=N free-public-memory=N
 *   total-public-memory=N session-count=N max-session-count=N        what C_GetTokenInfo says
 *   gcm-wrap            AES-GCM wraps and unwraps keys. Set it before the wrapping keys are made
 *   own-iv              the token makes the IV of AES-GCM: it ignores the caller's 12 bytes and writes its
 *                       own over them, in C_Encrypt (not yet in C_EncryptInit) and in C_WrapKey
 */

/** A line of the call log. Handles are the token's; nothing here is a value or a PIN. */
export interface ShimCall {
  readonly pid: number;
  readonly function: string;
  /** For C_OpenSession, the session that was opened. */
  readonly session?: number;
  readonly mechanism?: number;
  /** Handles of the objects that were passed; C_WrapKey: the wrapping key, then the key. */
  readonly objects?: readonly number[];
  /** Handles of the objects that were made, also where a rule hid this from the caller. Key pairs: public first. */
  readonly created?: readonly number[];
  /** The templates as the caller gave them. Key pairs: public first. */
  readonly templates?: readonly ShimTemplate[];
  /** The attribute types that C_GetAttributeValue asked for. */
  readonly types?: readonly number[];
  /** The rule that came between: fail, fail-after, hang, abort, token-away, invalidate or hide. */
  readonly rule?: string;
  /** What the caller was told. Absent where the call never returns. */
  readonly rv?: number;
}

export interface ShimTemplate {
  /** All attribute types in it. */
  readonly types: readonly number[];
  /** The boolean attributes in it, by name without `CKA_`. */
  readonly flags: Readonly<Record<string, boolean>>;
  readonly class?: number;
  readonly keyType?: number;
}

export interface Shim {
  /** The module to load. */
  readonly module: string;
  /** What a process that loads it needs in its environment, besides the token's own. */
  readonly env: Readonly<Record<'PKCS11_SHIM_MODULE' | 'PKCS11_SHIM_CONTROL' | 'PKCS11_SHIM_LOG', string>>;
  /** Replaces all rules, atomically, and starts their counts anew. Throws if a rule is not one. */
  set(...rules: string[]): void;
  /** Takes all rules away. Sessions that were invalidated stay so. */
  clear(): void;
  /**
   * Every session that is open now, in any process, is lost. A process notices at its next call. With
   * `processes`, sessions that these processes open later are lost too: only new processes are well.
   */
  invalidate(what?: 'sessions' | 'processes'): void;
  /** The calls so far, in the order in which they returned (or began, if they never return). */
  log(): ShimCall[];
  /** How many of the calls so far were to this function, or satisfy this condition. */
  count(which: string | ((call: ShimCall) => boolean)): number;
  /** Forgets the calls so far. */
  clearLog(): void;
}

const SOURCES = join(__dirname, 'pkcs11-shim');
const CACHE = resolve(__dirname, '../../node_modules/.cache/pkcs11-shim');
const HEADERS = join(dirname(require.resolve('pkcs11js/package.json')), 'includes/pkcs11');
const FLAGS = [
  '-std=gnu17',
  '-D_GNU_SOURCE',
  '-Wall',
  '-Wextra',
  '-Werror',
  '-O2',
  '-pthread',
  '-isystem',
  HEADERS,
];
// nodelete: a process that unloads and loads the module must not get a second copy of its state.
const SHARED = ['-fPIC', '-shared', '-fvisibility=hidden', '-Wl,-z,nodelete', '-ldl'];

const run = promisify(execFile);

/**
 * Compiles the shim unless this very source has been compiled already, and resolves to the shared object.
 * Several processes may do so at once: each compiles in a directory of its own, the first rename wins.
 */
export async function buildShim(): Promise<string> {
  const files = readdirSync(SOURCES)
    .filter((name) => /\.[ch]$/.test(name))
    .sort();
  const hash = createHash('sha256').update(JSON.stringify([FLAGS, SHARED, process.arch]));
  for (const name of files) hash.update(name).update(readFileSync(join(SOURCES, name)));
  const target = join(CACHE, hash.digest('hex').slice(0, 16));
  const module = join(target, 'pkcs11-shim.so');
  if (existsSync(module)) return module;

  const scratch = join(CACHE, `building-${process.pid}-${randomBytes(4).toString('hex')}`);
  mkdirSync(scratch, { recursive: true });
  const sources = files.filter((name) => name.endsWith('.c')).map((name) => join(SOURCES, name));
  const rules = join(SOURCES, 'rules.c');
  await run('gcc', [...FLAGS, ...sources, ...SHARED, '-o', join(scratch, 'pkcs11-shim.so')]);
  await run('gcc', [...FLAGS, '-DCHECK_RULES', rules, '-o', join(scratch, 'check-rules')]);
  try {
    renameSync(scratch, target);
  } catch (cause) {
    rmSync(scratch, { recursive: true });
    if (!existsSync(module)) throw cause;
  }
  return module;
}

/** A shim with its own rules and call log, both kept in `directory`, in front of `realModule`. */
export async function createShim(directory: string, realModule = SOFTHSM_MODULE): Promise<Shim> {
  const module = await buildShim();
  const check = join(dirname(module), 'check-rules');
  const control = join(directory, 'shim-rules');
  const logFile = join(directory, 'shim-log');
  const state = { generation: 0, rules: [] as readonly string[], invalidate: 0, 'retire-processes': 0 };

  const born = Date.now() / 1000;
  let versions = 0;

  const write = () => {
    const { rules, ...numbers } = state;
    const lines = [...rules, ...Object.entries(numbers).map(([name, value]) => `${name}=${value}`)];
    const next = `${control}.next`;
    writeFileSync(next, `${lines.join('\n')}\n`);
    execFileSync(check, [next], { stdio: 'pipe', timeout: 10_000 });
    // A time of its own for every version: inodes are used again, and file times are coarse.
    utimesSync(next, 0, born + ++versions);
    renameSync(next, control);
  };
  const set = (...rules: string[]) => {
    const before = { ...state };
    Object.assign(state, { rules, generation: state.generation + 1 });
    try {
      write();
    } catch (cause) {
      Object.assign(state, before);
      throw cause;
    }
  };
  // What follows the last line break is being written.
  const log = () =>
    readFileSync(logFile, 'utf8')
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as ShimCall);

  writeFileSync(logFile, '');
  write();
  return {
    module,
    env: { PKCS11_SHIM_MODULE: realModule, PKCS11_SHIM_CONTROL: control, PKCS11_SHIM_LOG: logFile },
    set,
    clear: () => set(),
    invalidate: (what = 'sessions') => {
      state[what === 'processes' ? 'retire-processes' : 'invalidate']++;
      write();
    },
    log,
    count: (which) =>
      log().filter((call) => (typeof which === 'string' ? call.function === which : which(call))).length,
    clearLog: () => writeFileSync(logFile, ''),
  };
}
