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

/** What the domain wants to know of every such request. */
export const cryptoOptions = ({ EncryptionContext = NO_CONTEXT, DryRun = false }: CryptoRequest) =>
  ({ authenticated: { kind: 'context', pairs: EncryptionContext }, dryRun: DryRun }) as const;
