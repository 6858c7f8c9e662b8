/**
 * PKCS#11 return values (PKCS#11 v3.0, section 5.1) and what a worker does about them. Values are matched by
 * number: the text that the addon prints for a number that it does not know is misleading.
 */
import type { TokenFault } from '../jobs';

export const CKR = {
  GENERAL_ERROR: 0x05,
  FUNCTION_FAILED: 0x06,
  DATA_INVALID: 0x20,
  DATA_LEN_RANGE: 0x21,
  ENCRYPTED_DATA_INVALID: 0x40,
  ENCRYPTED_DATA_LEN_RANGE: 0x41,
  AEAD_DECRYPT_FAILED: 0x42,
  KEY_HANDLE_INVALID: 0x60,
  OBJECT_HANDLE_INVALID: 0x82,
  PIN_INCORRECT: 0xa0,
  PIN_INVALID: 0xa1,
  PIN_LEN_RANGE: 0xa2,
  PIN_EXPIRED: 0xa3,
  PIN_LOCKED: 0xa4,
  UNWRAPPING_KEY_HANDLE_INVALID: 0xf0,
  USER_ALREADY_LOGGED_IN: 0x100,
  USER_NOT_LOGGED_IN: 0x101,
  USER_PIN_NOT_INITIALIZED: 0x102,
  WRAPPED_KEY_INVALID: 0x110,
  WRAPPED_KEY_LEN_RANGE: 0x112,
  WRAPPING_KEY_HANDLE_INVALID: 0x113,
  CRYPTOKI_NOT_INITIALIZED: 0x190,
} as const;

const between = (code: number, first: number, last: number): boolean => code >= first && code <= last;

/** The session, the device or the login is gone: only a new process is a safe way back. */
export function isLoss(code: number): boolean {
  return (
    between(code, 0x30, 0x32) || // CKR_DEVICE_*
    between(code, 0xb0, 0xb8) || // CKR_SESSION_*
    between(code, 0xe0, 0xe2) || // CKR_TOKEN_*
    code === CKR.USER_NOT_LOGGED_IN ||
    code === CKR.CRYPTOKI_NOT_INITIALIZED
  );
}

const STALE_HANDLE: ReadonlySet<number> = new Set([
  CKR.KEY_HANDLE_INVALID,
  CKR.OBJECT_HANDLE_INVALID,
  CKR.WRAPPING_KEY_HANDLE_INVALID,
  CKR.UNWRAPPING_KEY_HANDLE_INVALID,
]);

/** A cached handle does not name an object any more. */
export function isStaleHandle(code: number): boolean {
  return STALE_HANDLE.has(code);
}

const BAD_CIPHERTEXT: ReadonlySet<number> = new Set([
  CKR.GENERAL_ERROR, // SoftHSM's word for a bad tag
  CKR.FUNCTION_FAILED,
  CKR.DATA_INVALID,
  CKR.DATA_LEN_RANGE,
  CKR.ENCRYPTED_DATA_INVALID,
  CKR.ENCRYPTED_DATA_LEN_RANGE,
  CKR.AEAD_DECRYPT_FAILED,
  CKR.WRAPPED_KEY_INVALID,
  CKR.WRAPPED_KEY_LEN_RANGE,
]);

/** What tokens say when a ciphertext does not open. Some say it of other troubles too: ask the canary. */
export function meansBadCiphertext(code: number): boolean {
  return BAD_CIPHERTEXT.has(code);
}

/** The one function whose errors the addon does not translate is C_FindObjects: the number is in the text. */
const UNTRANSLATED = /^CKR_\w+:(\d+)/;

interface AddonError {
  readonly code?: unknown;
  readonly method?: unknown;
  readonly message?: unknown;
  readonly stack?: unknown;
  readonly nativeStack?: unknown;
}

/** The return value that an error from the addon carries, if it carries one. */
export function ckrOf(error: unknown): number | undefined {
  const { code, method, message } = Object(error) as AddonError;
  if (method !== undefined && typeof code === 'number') return code;
  const untranslated = UNTRANSLATED.exec(String(message))?.[1];
  return untranslated === undefined ? undefined : Number(untranslated);
}

/** An error from the addon as the operator should read it. */
export function faultOf(error: unknown): TokenFault {
  const ckr = ckrOf(error);
  const text = error instanceof Error ? error.message : String(error);
  if (ckr === undefined) return { message: text };
  const call = functionOf(error) ?? 'PKCS#11';
  return { call, ckr, message: `${call} answered 0x${ckr.toString(16)}` };
}

/** The addon names the function where it does not wrap it once more; a stack always does. */
function functionOf(error: unknown): string | undefined {
  const { method, nativeStack, stack } = Object(error) as AddonError;
  return /\bC_[A-Z]\w+/.exec(`${method} ${nativeStack} ${stack}`)?.[0];
}
