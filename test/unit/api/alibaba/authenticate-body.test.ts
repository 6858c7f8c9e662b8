import { assertSignedBody } from '../../../../src/api/alibaba/authenticate';
import { head, NO_MATCH, privateKey } from './authentication';
import { BODY, HEADERS, type Pairs, signed, withHeader } from './signed';

describe('the body', () => {
  it('is the one that was signed', () => {
    expect(() => assertSignedBody('signature', head(signed(privateKey)), BODY)).not.toThrow();
  });

  it.each([
    ['with a bit flipped', Buffer.from([10, 3, 97, 98, 98])],
    ['that is shorter', BODY.subarray(1)],
    ['that is longer', Buffer.concat([BODY, Buffer.of(0)])],
    ['that is empty', Buffer.alloc(0)],
  ])('%s is refused', (_what, body) => {
    expect(() => assertSignedBody('signature', head(signed(privateKey)), body)).toThrow(
      expect.objectContaining({ answer: NO_MATCH }),
    );
  });

  it.each([
    ['in lower case', (hash: string) => hash.toLowerCase()],
    ['in base64', (hash: string) => Buffer.from(hash, 'hex').toString('base64')],
    ['cut short', (hash: string) => hash.slice(0, -2)],
    ['gone', () => ''],
  ])('is refused with its hash %s', (_how, change) => {
    const hash = String(HEADERS.find(([name]) => name === 'Content-Sha256')?.[1]);
    const pairs = signed(privateKey, withHeader(HEADERS, 'content-sha256', change(hash)));
    expect(() => assertSignedBody('signature', head(pairs), BODY)).toThrow(
      expect.objectContaining({ answer: NO_MATCH }),
    );
  });

  it('of a request that is not signed is its connection’s matter, unless its hash is named', () => {
    const unnamed = HEADERS.filter(([name]) => name !== 'Content-Sha256');
    expect(() => assertSignedBody('signature', head(unnamed), Buffer.from('x'))).not.toThrow();
    expect(() => assertSignedBody('signature', head(HEADERS), Buffer.from('x'))).toThrow(
      expect.objectContaining({ answer: NO_MATCH }),
    );
  });

  it('may be any where nobody has to sign', () => {
    for (const pairs of [[] as Pairs, HEADERS, signed(privateKey)]) {
      expect(() => assertSignedBody('none', head(pairs), Buffer.from('x'))).not.toThrow();
    }
  });
});
