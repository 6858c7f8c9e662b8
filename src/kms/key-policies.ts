/** Key policies: who may do what with a key. They are kept here; `access` reads them. */
import { hash, randomUUID } from 'node:crypto';
import { parsePolicy } from '../access/parse-policy';
import { assertNoRepeats } from '../access/policy-json';
import { KmsError } from '../errors';
import { factsOfBypass, mayPutAnother } from './authorization';
import type { Key, KeyArn, KeyId } from './key';
import { defaultKeyPolicy } from './key-policy';
import { changeKey, describeKeyWithoutAlias } from './keys';
import type { Call, Kms } from './kms';
import { invalidMarker } from './page';

/** The only policy that a key has. */
export const POLICY_NAME = 'default';
const MAX_BYTES = 32_768;

interface PolicyRequest {
  readonly keyId: string;
  /** Of the policy; `default` is the only one there is. */
  readonly name: string;
}

/**
 * What is asked of a key policy that a request brings.
 *
 * @param options.bypass leaves out the lockout safety check
 * @param options.keyArn the key that it shall be the policy of, unless that is yet to be made
 * @throws KmsError LIMIT_EXCEEDED, MALFORMED_POLICY, INVALID_ARN
 */
export function checkKeyPolicy(
  kms: Pick<Kms, 'arns'>,
  call: Call,
  policy: string,
  options: { readonly bypass: boolean; readonly keyArn?: KeyArn },
): void {
  if (Buffer.byteLength(policy) > MAX_BYTES) {
    throw new KmsError('LIMIT_EXCEEDED', `The key policy is longer than ${MAX_BYTES} bytes.`);
  }
  const document = parsePolicy(policy);
  assertNoRepeats(policy);
  if (options.bypass) return;
  // Nobody can have named a key that is yet to be made: any other new one stands for it.
  const keyArn = options.keyArn ?? kms.arns.key(randomUUID() as KeyId);
  if (!mayPutAnother(call, document, keyArn)) {
    throw new KmsError(
      'MALFORMED_POLICY',
      'The new key policy will not allow you to update the key policy in the future.',
    );
  }
}

/** @throws KmsError as `checkKeyPolicy`, and NOT_FOUND, INVALID_ARN */
export async function putKeyPolicy(
  kms: Kms,
  call: Call,
  { keyId, name, policy, bypass }: PolicyRequest & { readonly policy: string; readonly bypass: boolean },
): Promise<void> {
  assertPolicyName(name);
  call.details = { policySha256: hash('sha256', policy) };
  const inEveryState = () => undefined;
  const put = (key: Key) => {
    checkKeyPolicy(kms, call, policy, { bypass, keyArn: key.arn });
    return kms.store.keyPolicies.put(key.id, policy);
  };
  await changeKey(kms, call, keyId, inEveryState, put, { facts: factsOfBypass(bypass) });
}

/**
 * The policy as it was put, or else the default policy.
 *
 * @throws KmsError NOT_FOUND, INVALID_ARN
 */
export async function getKeyPolicy(kms: Kms, call: Call, { keyId, name }: PolicyRequest): Promise<string> {
  assertPolicyName(name);
  const key = await describeKeyWithoutAlias(kms, call, keyId);
  return (await kms.store.keyPolicies.find(key.id)) ?? defaultKeyPolicy(kms.arns);
}

/**
 * The names of a key's policies: one.
 *
 * @throws KmsError NOT_FOUND, INVALID_ARN, and INVALID_MARKER for any marker: there is no second page
 */
export async function listKeyPolicies(
  kms: Kms,
  call: Call,
  { keyId, marker }: { readonly keyId: string; readonly marker?: string },
): Promise<readonly string[]> {
  if (marker !== undefined) throw invalidMarker();
  await describeKeyWithoutAlias(kms, call, keyId);
  return [POLICY_NAME];
}

function assertPolicyName(name: string): void {
  if (name !== POLICY_NAME) throw new KmsError('NOT_FOUND', 'No such policy exists');
}
