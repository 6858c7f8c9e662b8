/** Principals: who a policy or a grant speaks of, by ARN. */

/** A principal that can be named by ARN. */
export interface PrincipalArn {
  readonly partition: string;
  readonly account: string;
  /** `account` is everybody in it: the ARN that ends in `:root`. */
  readonly kind: 'account' | 'user' | 'role' | 'assumed-role' | 'federated-user';
  /** With its path, and its session where it has one; empty for an account. */
  readonly name: string;
}

/** Partitions and accounts are what the prefix of the service's own ARNs may have them be, not only what AWS has. */
const ARN = /^arn:([a-z0-9-]+):(iam|sts)::([A-Za-z0-9-]+):(.+)$/s;
const NAME = '[\\w+=,.@-]+';
const RESOURCES = {
  iam: new RegExp(`^(?:root|(user|role)/((?:[\\w+=,.@-]+/)*${NAME}))$`),
  sts: new RegExp(`^(?:(assumed-role)/(${NAME}/${NAME})|(federated-user)/(${NAME}))$`),
} as const;

/** Whether this is the ARN of something that IAM or STS knows, principal or not. */
export const isIdentityArn = (text: string): boolean => ARN.test(text);

/** Reads the ARN of an account, user, role, assumed role or federated user; undefined if it is none. */
export function parsePrincipalArn(text: string): PrincipalArn | undefined {
  const [, partition = '', service = '', account = '', resource = ''] = ARN.exec(text) ?? [];
  const found = RESOURCES[service === 'sts' ? 'sts' : 'iam'].exec(resource);
  if (!found) return undefined;
  const kind = (found[1] ?? found[3] ?? 'account') as PrincipalArn['kind'];
  return { partition, account, kind, name: found[2] ?? found[4] ?? '' };
}
