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

const ARN = /^arn:([a-z][a-z0-9-]*):(iam|sts)::([A-Za-z0-9-]+):(.+)$/s;
const NAME = '[\\w+=,.@-]+';
const RESOURCES = {
  iam: new RegExp(`^(?:root|(user|role)/((?:[\\w+=,.@-]+/)*${NAME}))$`),
  sts: new RegExp(`^(?:(assumed-role)/(${NAME}/${NAME})|(federated-user)/(${NAME}))$`),
} as const;

/** An account is twelve digits, as in AWS, or else a name that is not all digits. */
export const isAccount = (text: string): boolean =>
  /^\d+$/.test(text) ? text.length === 12 : /^[A-Za-z0-9-]+$/.test(text);

/** Whether this is the ARN of something that IAM or STS knows, principal or not. */
export const isIdentityArn = (text: string): boolean => ARN.test(text);

/** Reads the ARN of an account, user, role, assumed role or federated user; undefined if it is none. */
export function parsePrincipalArn(text: string): PrincipalArn | undefined {
  const [, partition = '', service = '', account = '', resource = ''] = ARN.exec(text) ?? [];
  if (!isAccount(account)) return undefined;
  const found = RESOURCES[service === 'sts' ? 'sts' : 'iam'].exec(resource);
  if (!found) return undefined;
  const kind = (found[1] ?? found[3] ?? 'account') as PrincipalArn['kind'];
  return { partition, account, kind, name: found[2] ?? found[4] ?? '' };
}
