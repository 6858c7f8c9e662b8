import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import type { Findings, Place } from './findings';
import { type Covered, checkpointText, fingerprintOf, MAX_CHECKPOINT_LAG } from './lines';

const HASH_BYTES = 32;
/** Hashes are kept for as many lines as a signature may come late. */
const KEPT = MAX_CHECKPOINT_LAG;

const keyOf = (spki: Buffer): KeyObject => createPublicKey({ key: spki, format: 'der', type: 'spki' });

/** The signatures in a chain. */
export class SignatureCheck {
  readonly #chain: string;
  readonly #findings: Findings;
  readonly #trusted: Buffer | undefined;
  readonly #hashes = Buffer.allocUnsafeSlow(KEPT * HASH_BYTES);
  #key: KeyObject | undefined;
  #storeId = '';
  /** The last line that a good signature covers. */
  signedUpTo = 0;

  /** @param trusted the public key that the signatures must fit; the one that the chain itself names where there is none */
  constructor(chain: string, findings: Findings, trusted: Buffer | undefined) {
    this.#chain = chain;
    this.#findings = findings;
    this.#trusted = trusted;
  }

  /** The chain's first line: whose it is, and who signs it. */
  start(place: Place, { store, publicKey }: Readonly<Record<string, unknown>>): void {
    this.#storeId = String(store);
    const own = typeof publicKey === 'string' ? Buffer.from(publicKey, 'base64') : undefined;
    if (own && this.#trusted && !own.equals(this.#trusted)) {
      const message = `the chain is signed by another key, of fingerprint ${fingerprintOf(own)}`;
      this.#findings.add({ kind: 'foreign', chain: this.#chain, ...place, message });
    }
    const key = this.#trusted ?? own;
    try {
      this.#key = key && keyOf(key);
    } catch {
      this.#bad(place, 'the public key in this line is none');
    }
  }

  /** Each line of the chain that is where it belongs, also before a signature covers it. */
  line(sequence: number, hash: string): void {
    this.#hashes.write(hash, (sequence % KEPT) * HASH_BYTES, 'hex');
  }

  /** A line that holds a signature. */
  checkpoint(place: Place, { covers, signature }: Readonly<Record<string, unknown>>): void {
    const covered = coveredOf(covers);
    const fault =
      covered && typeof signature === 'string'
        ? this.#faultOf(place, covered, Buffer.from(signature, 'base64'))
        : 'the line holds no signature';
    if (fault) this.#bad(place, fault);
    else if (covered) this.signedUpTo = covered.sequence;
  }

  #faultOf(place: Place, covered: Covered, signature: Buffer): string | undefined {
    const { sequence, hash } = covered;
    const isKept = sequence > 0 && sequence < place.sequence && place.sequence - sequence < KEPT;
    const at = (sequence % KEPT) * HASH_BYTES;
    if (!isKept || this.#hashes.toString('hex', at, at + HASH_BYTES) !== hash) {
      return `the signature is of another line than there is with sequence ${sequence}`;
    }
    const text = Buffer.from(checkpointText(this.#storeId, this.#chain, covered));
    const key = this.#key && { key: this.#key, dsaEncoding: 'ieee-p1363' as const };
    return key && verify('sha256', text, key, signature) ? undefined : 'the signature is not good';
  }

  #bad(place: Place, message: string): void {
    this.#findings.add({ kind: 'bad-signature', chain: this.#chain, ...place, message });
  }
}

function coveredOf(covers: unknown): Covered | undefined {
  const { sequence, hash } = (covers ?? {}) as Partial<Covered>;
  const isOne = Number.isSafeInteger(sequence) && typeof hash === 'string' && /^[0-9a-f]{64}$/.test(hash);
  return isOne ? ({ sequence, hash } as Covered) : undefined;
}
