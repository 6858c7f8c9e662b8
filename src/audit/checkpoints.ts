/** The token's signatures over the chain, now and then and at its end. */
import { createHash } from 'node:crypto';
import type { Chain } from './chain';
import { type Covered, checkpointMembers, checkpointText, MAX_CHECKPOINT_LAG } from './lines';

/** Signs checkpoints. */
export interface Signer {
  /** X.509 SubjectPublicKeyInfo of an EC P-256 key, DER. */
  readonly publicKey: Buffer;
  /** ECDSA over a SHA-256 digest: r and s, 64 bytes. */
  sign(digest: Buffer): Promise<Buffer>;
}

export interface CheckpointOptions {
  readonly chain: string;
  readonly storeId: string;
  /** Lines from one checkpoint to the next. */
  readonly every: number;
  readonly signer: Signer | undefined;
  /** What a checkpoint takes at most. */
  readonly lineBytes: number;
  readonly onTrouble: (message: string, error: unknown) => void;
}

export interface Checkpoints {
  /** Has a checkpoint made where one is due. */
  look(): void;
  /** Stops the chain and adds its last line, signed where the token does that in time. Its room has been reserved. */
  end(): Promise<void>;
}

const END_MS = 1_000;

export function createCheckpoints(lines: Chain, options: CheckpointOptions): Checkpoints {
  const { chain, storeId, every, signer, lineBytes } = options;
  let due = every;
  let isSigning = false;
  let isEnding = false;
  let inTrouble = false;

  async function sign(by: Signer, covers: Covered) {
    const text = checkpointText(storeId, chain, covers);
    return { covers, signature: await by.sign(createHash('sha256').update(text).digest()) };
  }

  function trouble(error: unknown): void {
    if (!inTrouble) options.onTrouble('a checkpoint of the audit log could not be made', error);
    inTrouble = true;
  }

  async function checkpoint(by: Signer): Promise<void> {
    const signed = await sign(by, lines.head);
    const lag = lines.head.sequence - signed.covers.sequence;
    if (lag > MAX_CHECKPOINT_LAG / 2) throw new Error(`the signature came ${lag} lines late`);
    await lines.reserve(lineBytes);
    if (isEnding) return lines.giveBack(lineBytes);
    await lines.add(checkpointMembers('checkpoint', new Date(), signed), lineBytes);
    inTrouble = false;
  }

  return {
    look() {
      if (!signer || isSigning || isEnding || lines.head.sequence < due) return;
      due = lines.head.sequence + every;
      isSigning = true;
      void checkpoint(signer)
        .catch(trouble)
        .finally(() => {
          isSigning = false;
        });
    },
    async end() {
      isEnding = true;
      await lines.stop();
      const signed = signer && (await within(END_MS, sign(signer, lines.head)).catch(trouble));
      await lines.add(checkpointMembers('end', new Date(), signed || undefined), lineBytes);
    },
  };
}

function within<T>(limitMs: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`the token took longer than ${limitMs} ms`)), limitMs);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}
