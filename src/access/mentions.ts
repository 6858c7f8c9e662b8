/** What policies ask of a request, so that only that is looked up. */
import type { Policies } from './evaluate';
import type { CommonStatement, PolicyVersion } from './policy-document';
import { hasVariables, variableNames } from './policy-variables';

/**
 * Whether some statement has a condition on, or a variable of, a key.
 *
 * @param keyOrPrefix a key in any case, such as `kms:RequestAlias`; one that ends in `/` or `:` stands for all that
 *   begin with it, such as `aws:ResourceTag/`
 */
export function mentionsCondition(
  { identity, key }: Pick<Policies, 'identity' | 'key'>,
  keyOrPrefix: string,
): boolean {
  const wanted = keyOrPrefix.toLowerCase();
  const isPrefix = wanted.endsWith('/') || wanted.endsWith(':');
  const isWanted = (name: string) => (isPrefix ? name.startsWith(wanted) : name === wanted);
  const isIn = ({
    version,
    statements,
  }: {
    version: PolicyVersion;
    statements: readonly CommonStatement[];
  }) => statements.some((statement) => mentions(statement, version, isWanted));
  return (key !== undefined && isIn(key)) || identity.some(isIn);
}

function mentions(
  { conditions, resources }: CommonStatement,
  version: PolicyVersion,
  isWanted: (name: string) => boolean,
): boolean {
  const hasVariable = (text: string) => hasVariables(text, version) && variableNames(text).some(isWanted);
  return (
    conditions.some(({ key, values }) => isWanted(key.toLowerCase()) || values.some(hasVariable)) ||
    (resources?.listed.some(hasVariable) ?? false)
  );
}
