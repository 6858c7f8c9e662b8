import fc from 'fast-check';
import { KmsError } from '../../../src/errors';
import { assertGrantTokens, grantIdOf, newGrantToken } from '../../../src/kms/grant-tokens';
import { createGrant } from '../../../src/kms/grants';
import { createKey } from '../../../src/kms/keys';
import { codeOf, newCall, openDomain } from './fixture';

const ID = 'ab'.repeat(32);

describe('a grant token', () => {
  it('names its grant; two of one grant differ', () => {
    const tokens = [newGrantToken(ID), newGrantToken(ID)];
    expect(new Set(tokens).size).toBe(2);
    for (const token of tokens) {
      expect(token).toMatch(/^[A-Za-z0-9+/]{64}$/);
      expect(grantIdOf(token)).toBe(ID);
    }
  });

  it('of any other form is refused', () => {
    const token = newGrantToken(ID);
    const odd = [
      '',
      'token',
      token.slice(0, -4),
      `${token}AAAA`,
      `${token.slice(0, -1)}=`,
      ` ${token}`,
      `A${token}`,
      `Ag${token.slice(2)}`,
    ];
    for (const text of odd) {
      expect(() => grantIdOf(text)).toThrow(expect.objectContaining({ code: 'INVALID_GRANT_TOKEN' }));
    }
  });

  it('that somebody made up is refused with nothing but that', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.base64String({ minLength: 60, maxLength: 68 })), (text) => {
        try {
          expect(grantIdOf(text)).toMatch(/^[0-9a-f]{64}$/);
        } catch (error) {
          if (!(error instanceof KmsError) || error.code !== 'INVALID_GRANT_TOKEN') throw error;
        }
      }),
    );
  });
});

describe('assertGrantTokens', () => {
  it('takes tokens of grants that there are, any number, and asks for nothing where there is none', async () => {
    const { kms } = await openDomain();
    const key = await createKey(kms, newCall(), { description: '' });
    const request = {
      keyId: key.id,
      granteePrincipal: 'arn:aws:iam::111122223333:user/alice',
      operations: ['Encrypt' as const],
      dryRun: false,
    };
    const grants = [await createGrant(kms, newCall(), request), await createGrant(kms, newCall(), request)];
    const existing = jest.spyOn(kms.store.grants, 'existing');
    await assertGrantTokens(kms, []);
    expect(existing).not.toHaveBeenCalled();
    const tokens = grants.flatMap(({ token, grantId }) => [token, newGrantToken(grantId)]);
    await assertGrantTokens(kms, tokens);
    expect(existing).toHaveBeenCalledTimes(1);
    expect(await codeOf(assertGrantTokens(kms, [...tokens, newGrantToken(ID)]))).toBe('INVALID_GRANT_TOKEN');
    expect(await codeOf(assertGrantTokens(kms, [...tokens, 'token']))).toBe('INVALID_GRANT_TOKEN');
  });
});
