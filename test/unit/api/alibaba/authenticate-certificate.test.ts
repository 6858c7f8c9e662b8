import type { ClientCertificate } from '../../../../src/api/source';
import {
  ALICE,
  authenticated,
  BY_SIGNATURE,
  missing,
  NO_MATCH,
  privateKey,
  refused,
  UNKNOWN,
} from './authentication';
import { HEADERS, type Pairs, signed, withHeader } from './signed';

describe('a client certificate', () => {
  const valid = (subject: string): ClientCertificate => ({ subject, authorized: true });
  const selfSigned = (subject: string): ClientCertificate => ({
    subject,
    authorized: false,
    fault: 'DEPTH_ZERO_SELF_SIGNED_CERT',
  });

  it('is enough', async () => {
    for (const pairs of [HEADERS, [] as Pairs]) {
      expect(await authenticated(pairs, { certificate: valid('CN=alice') })).toEqual({ principal: ALICE });
    }
  });

  it.each([
    ['stands for nobody', valid('CN=nobody')],
    ['comes from no authority', selfSigned('CN=alice')],
  ])('that %s is refused where the request is not signed', async (_what, certificate) => {
    expect(await refused(HEADERS, { certificate })).toEqual(UNKNOWN);
  });

  it('and a signature must agree', async () => {
    const pairs = signed(privateKey);
    expect(await authenticated(pairs, { certificate: valid('CN=alice') })).toEqual(BY_SIGNATURE);
    for (const name of ['CN=bob', 'CN=nobody']) {
      expect(await refused(pairs, { certificate: valid(name) })).toEqual(UNKNOWN);
    }
  });

  it.each(['CN=alice', 'CN=bob', 'CN=KAAP.3f2504e0'])(
    'that comes from no authority (%s) is ignored where the request is signed: Alibaba’s Go SDK offers its own',
    async (subject) => {
      const certificate = selfSigned(subject);
      expect(await authenticated(signed(privateKey), { certificate })).toEqual(BY_SIGNATURE);
      const forged = withHeader(signed(privateKey), 'authorization', 'Bearer AAAA');
      expect(await refused(forged, { certificate })).toEqual(NO_MATCH);
    },
  );

  it.each([
    ['wrong', 'Bearer AAAA', NO_MATCH],
    ['empty', '', missing('authorization')],
    ['of another kind', 'Basic YTpi', NO_MATCH],
  ])('does not make up for a signature that is %s', async (_what, authorization, answer) => {
    const pairs: Pairs = [...HEADERS, ['authorization', authorization]];
    expect(await refused(pairs, { certificate: valid('CN=alice') })).toEqual(answer);
  });

  it('does not choose between two headers either', async () => {
    const pairs: Pairs = [...HEADERS, ['x-kms-apiname', 'Decrypt']];
    expect(await refused(pairs, { certificate: valid('CN=alice') })).toEqual(NO_MATCH);
  });
});
