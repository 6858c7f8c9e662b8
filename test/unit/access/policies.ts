import type { PolicyDocument, Selection, Statement } from '../../../src/access/policy-document';

export const ACCOUNT = '111122223333';
export const ROOT = `arn:aws:iam::${ACCOUNT}:root`;
export const KEY_ARN = `arn:aws:kms:us-east-1:${ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab`;

/** The members of a statement that has all it needs. */
export const STATEMENT = { Effect: 'Allow', Principal: { AWS: ROOT }, Action: 'kms:*', Resource: '*' };

/** The text of a policy of such statements, each with changes; undefined takes a member away. */
export const policyOf = (...changes: object[]): string =>
  JSON.stringify({
    Version: '2012-10-17',
    Statement: changes.map((change) => ({ ...STATEMENT, ...change })),
  });

/** The same of an identity policy. */
export const identityPolicyOf = (...changes: object[]): string =>
  JSON.stringify({
    Version: '2012-10-17',
    Statement: changes.map((change) => ({ Effect: 'Allow', Action: 'kms:*', Resource: '*', ...change })),
  });

/** A document as somebody might have written it. */
export function formatPolicy({ version, id, statements }: PolicyDocument): string {
  return JSON.stringify({ Version: version, Id: id, Statement: statements.map(formatStatement) });
}

function formatStatement({ sid, effect, principals, actions, resources, conditions }: Statement): object {
  const types = [...new Set(principals.listed.map(({ type }) => type))];
  const idsOf = (wanted: string) =>
    principals.listed.filter(({ type }) => type === wanted).map(({ id }) => id);
  const written: Record<string, Record<string, readonly string[]>> = {};
  for (const { operator, set, ifExists, key, values } of conditions) {
    const name = `${set ? `${set}:` : ''}${operator}${ifExists ? 'IfExists' : ''}`;
    written[name] = { ...written[name], [key]: values };
  }
  return {
    Sid: sid,
    Effect: effect,
    [principals.except ? 'NotPrincipal' : 'Principal']: Object.fromEntries(
      types.map((type) => [type, idsOf(type)]),
    ),
    ...formatSelection('Action', actions),
    ...formatSelection('Resource', resources),
    ...(conditions.length > 0 && { Condition: written }),
  };
}

const formatSelection = (name: string, selection?: Selection<string>) =>
  selection && { [selection.except ? `Not${name}` : name]: selection.listed };
