/** Opening a token: load the module, find the token by its label, log in, hold two sessions. */
import { Module, SessionFlag, type Slot, TokenFlag, UserType } from 'graphene-pk11';
import type { StartMessage } from '../jobs';
import { CKR, ckrOf, faultOf } from './ckr';
import type { Cryptoki, Session } from './session';
import { StartFailed } from './worker-errors';

/** CKF_OS_LOCKING_OK: without it SoftHSM answers CKR_GENERAL_ERROR as soon as two calls overlap. */
const OS_LOCKING_OK = 2;
const LOGIN_TRIES = 8;
/** How long the token is looked for: see `isPassing`. */
const PATIENCE_MS = 600;

export interface Connection {
  readonly module: Module;
  readonly slot: Slot;
  /** The session that works. The anchor, which keeps the login, is never handed out. */
  readonly session: Session;
  readonly warnings: readonly string[];
}

/** @throws StartFailed */
export function connect(start: StartMessage): Connection {
  const module = load(start);
  for (const until = performance.now() + PATIENCE_MS; ; ) {
    try {
      return open(module, start);
    } catch (error) {
      if (!isPassing(error) || performance.now() > until) throw error;
    }
    pause(20 + Math.floor(Math.random() * 60));
    // What a module found at C_Initialize it does not look for again. No handle is lost: there is none yet.
    module.finalize();
    initialize(module, start);
  }
}

/**
 * SoftHSM writes a token's file anew at each login. A process that begins at that moment finds no token, or one
 * whose PIN was never set.
 */
function isPassing(error: unknown): boolean {
  const failed = error instanceof StartFailed ? error : undefined;
  const ckr = failed ? failed.details.fault?.ckr : ckrOf(error);
  return (
    failed?.failure === 'token-missing' || ckr === CKR.USER_PIN_NOT_INITIALIZED || ckr === CKR.GENERAL_ERROR
  );
}

function open(module: Module, start: StartMessage): Connection {
  const slot = findSlot(module, start.tokenLabel);
  const warnings = checkPinFlags(slot, start.pinProven);
  const anchor = openSession(module.lib, slot);
  login(module.lib, anchor, start.pin);
  return {
    module,
    slot,
    session: { lib: module.lib, handle: openSession(module.lib, slot), encryptions: 0 },
    warnings,
  };
}

/** Closes the working session, with whatever operation a failed call left active in it, and opens another. */
export function renewSession({ module, slot, session }: Connection): void {
  try {
    module.lib.C_CloseSession(session.handle);
  } catch {
    // It may be gone already; what counts is that the next one opens.
  }
  session.handle = openSession(module.lib, slot);
}

function load(start: StartMessage): Module {
  const { module: file } = start;
  try {
    const module = Module.load(file);
    initialize(module, start);
    return module;
  } catch (error) {
    const fault = faultOf(error);
    throw new StartFailed('module', `the PKCS#11 module ${file} does not start: ${fault.message}`, { fault });
  }
}

function initialize(module: Module, { initArgs }: StartMessage): void {
  const nss = initArgs === undefined ? {} : { libraryParameters: initArgs };
  module.initialize({ flags: OS_LOCKING_OK, ...nss });
}

function findSlot(module: Module, label: string): Slot {
  const present = tokensPresent(module);
  const matching = present.filter((token) => token.label === label);
  const [first, second] = matching;
  if (second)
    throw new StartFailed('token-missing', `two tokens are labelled "${label}": give them different labels`);
  if (first) return first.slot;
  const labels = present.map((token) => `"${token.label}"`).join(', ') || 'none';
  throw new StartFailed('token-missing', `no token is labelled "${label}"; tokens present: ${labels}`);
}

interface PresentToken {
  readonly slot: Slot;
  readonly label: string;
}

function tokensPresent(module: Module): PresentToken[] {
  const slots = module.getSlots(true);
  const present: PresentToken[] = [];
  for (let index = 0; index < slots.length; index++) {
    try {
      const slot = slots.items(index);
      const token = slot.getToken();
      if (token.flags & TokenFlag.TOKEN_INITIALIZED) present.push({ slot, label: token.label });
    } catch {
      // A slot whose token cannot be read is not the one: the label is what tells.
    }
  }
  return present;
}

/** A wrong PIN is counted by the token, and the last try locks it: the flags are read before trying. */
function checkPinFlags(slot: Slot, pinProven: boolean): string[] {
  const { flags } = slot.getToken();
  if (flags & TokenFlag.USER_PIN_LOCKED) {
    throw new StartFailed(
      'pin-locked',
      'the token has locked its user PIN: its security officer must set a new one',
    );
  }
  if (pinProven) return [];
  if (flags & TokenFlag.USER_PIN_FINAL_TRY) {
    throw new StartFailed(
      'pin-locked',
      "one more wrong PIN locks the token, so p11kms does not try: log in once with the vendor's tool to clear the count",
    );
  }
  return flags & TokenFlag.USER_PIN_COUNT_LOW
    ? ['the token counts a wrong user PIN since its last login']
    : [];
}

const openSession = (lib: Cryptoki, slot: Slot) =>
  lib.C_OpenSession(slot.handle, SessionFlag.SERIAL_SESSION | SessionFlag.RW_SESSION);

const PIN_REFUSED: ReadonlySet<number> = new Set([
  CKR.PIN_INCORRECT,
  CKR.PIN_INVALID,
  CKR.PIN_LEN_RANGE,
  CKR.PIN_EXPIRED,
]);

/** SoftHSM answers CKR_GENERAL_ERROR when two processes log in at once: that alone is worth another try. */
function login(lib: Cryptoki, anchor: Session['handle'], pin: Buffer): void {
  for (let tries = 1; ; tries++) {
    try {
      // The addon takes a string only; it lives until the next garbage collection.
      lib.C_Login(anchor, UserType.USER, pin.toString('utf8'));
      return;
    } catch (error) {
      const ckr = ckrOf(error);
      if (ckr === CKR.USER_ALREADY_LOGGED_IN) return;
      if (ckr !== CKR.GENERAL_ERROR || tries === LOGIN_TRIES) throw loginFailed(error, ckr);
      pause(20 + Math.floor(Math.random() * 80));
    }
  }
}

function loginFailed(error: unknown, ckr: number | undefined): StartFailed {
  const fault = faultOf(error);
  if (ckr === CKR.PIN_LOCKED) {
    return new StartFailed(
      'pin-locked',
      'the token has locked its user PIN: its security officer must set a new one',
      { fault },
    );
  }
  if (ckr !== undefined && PIN_REFUSED.has(ckr)) {
    return new StartFailed('pin-refused', 'the token refuses the PIN', { fault });
  }
  return new StartFailed('token-error', `logging in to the token failed: ${fault.message}`, { fault });
}

/** Blocks: before it is ready a worker has nothing else to do. */
function pause(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
