import { authorize } from './authorization';
import type { Call, Kms } from './kms';

/** Random bytes from the token's generator. The caller zeroes them. */
export async function generateRandom(kms: Kms, call: Call, { bytes }: { bytes: number }): Promise<Buffer> {
  authorize(call, '*');
  const { random } = await kms.token.run('generateRandom', { bytes }, call);
  return random;
}
