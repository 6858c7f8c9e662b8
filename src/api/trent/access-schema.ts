/** Members of requests about tags, key policies and grants. */
import { type GrantOperation, OTHER_OPERATIONS, SYMMETRIC_OPERATIONS } from '../../kms/grant';
import { MAX_TAG_NAME_LENGTH } from '../../kms/tags';
import { ABSENT } from './absent';
import { encryptionContext, integer, lacking, listOf, type Schema, structure, text } from './schema';

export const tags = listOf(structure({ TagKey: text(1, MAX_TAG_NAME_LENGTH), TagValue: text(0, 256) }, {}));
export const tagKeys: Schema<readonly string[]> = {
  type: 'array',
  textList: { maxItems: Number.MAX_SAFE_INTEGER, minLength: 1, maxLength: MAX_TAG_NAME_LENGTH },
};
export const limitOfTags = integer(1, 50);

export const policyName: Schema<string> = { ...text(1, 128), pattern: '[\\w]+' };
export const policy: Schema<string> = {
  ...text(1, 131_072),
  pattern: '[\\u0009\\u000A\\u000D\\u0020-\\u00FF]+',
};

export const principal: Schema<string> = { ...text(1, 256), pattern: '^[\\w+=,.@:/-]+$' };
export const servicePrincipal = lacking('string', ABSENT.services);
export const grantId = text(1, 128);
export const grantToken = text(1, 8192);
export const grantName: Schema<string> = { ...text(1, 256), pattern: '^[a-zA-Z0-9:/_-]+$' };
export const limitOfGrants = integer(1, 100);

const OPERATIONS = [...SYMMETRIC_OPERATIONS, ...OTHER_OPERATIONS];
export const grantOperations: Schema<readonly GrantOperation[]> = {
  type: 'array',
  textList: { maxItems: OPERATIONS.length, minLength: 1, maxLength: 64, values: OPERATIONS },
};

export const grantConstraints = structure(
  {},
  {
    EncryptionContextEquals: encryptionContext,
    EncryptionContextSubset: encryptionContext,
    SourceArn: lacking('string', ABSENT.sourceArns),
  },
);
