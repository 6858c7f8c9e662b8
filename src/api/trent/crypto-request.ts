import { dryRun, encryptionContext, grantTokens } from './schema';

/** Members of every request that uses a KMS key. */
export const cryptoMembers = {
  EncryptionContext: encryptionContext,
  GrantTokens: grantTokens,
  DryRun: dryRun,
};

interface CryptoRequest {
  readonly EncryptionContext?: ReadonlyMap<string, string>;
  readonly DryRun?: boolean;
}

const NO_CONTEXT: ReadonlyMap<string, string> = new Map();

/** What a ciphertext is bound to. */
export const encryptionContextOf = (pairs = NO_CONTEXT) => ({ kind: 'context', pairs }) as const;

/** What the domain wants to know of every such request. */
export const cryptoOptions = ({ EncryptionContext, DryRun = false }: CryptoRequest) => ({
  authenticated: encryptionContextOf(EncryptionContext),
  dryRun: DryRun,
});
