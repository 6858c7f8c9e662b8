import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { normaliseSubject } from '../../../src/kms/certificate-subject';

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'p11kms-certificates-'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** A certificate of openssl's, and its subject in all the ways in which openssl and node write it. */
function subjectsOf(subject: string): { node: string; openssl: string[] } {
  const [key, file] = [join(directory, 'key'), join(directory, 'certificate')];
  const openssl = (...args: string[]) => execFileSync('openssl', args, { encoding: 'utf8', stdio: 'pipe' });
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  openssl('req', '-x509', ...curve, '-keyout', key, '-out', file, '-utf8', '-subj', subject);
  const shown = (...format: string[]) =>
    openssl('x509', '-in', file, '-noout', '-subject', ...format).replace(/\n$/, '');
  return {
    node: new X509Certificate(readFileSync(file)).subject,
    openssl: [
      shown(),
      shown('-nameopt', 'RFC2253'),
      shown('-nameopt', 'RFC2253,-esc_msb,utf8'),
      shown('-nameopt', 'oneline,-esc_msb,utf8'),
      shown('-nameopt', 'sep_semi_plus_space,esc_2253,esc_ctrl,utf8,sname'),
    ],
  };
}

describe('a subject of a certificate', () => {
  it.each([
    ['/CN=billing', 'CN=billing'],
    ['/CN=billing/O=Example', 'CN=billing,O=Example'],
    ['/C=DE/O=Example, Inc./CN=billing', 'C=DE,O=Example\\, Inc.,CN=billing'],
    ['/CN=billing/O=Example, Inc./C=DE', 'C=DE,O=Example\\, Inc.,CN=billing'],
    ['/CN=b\\/x=1+OU=a+UID=7/O=x', 'CN=b/x=1+OU=a+UID=7,O=x'],
    ['/CN= lead#x /O=#hash', 'CN=\\ lead#x\\ ,O=\\#hash'],
    ['/CN=Jürgen "J" <x>;y\\+z/O=鍵\\\\', 'CN=Jürgen \\"J\\" \\<x\\>\\;y\\+z,O=鍵\\\\'],
    ['/O=line\nbreak/CN=x', 'CN=x,O=line\\0Abreak'],
    ['/O=a/CN=x\nO=b', 'CN=x\\0AO=b,O=a'],
    [
      '/DC=org/DC=example/UID=u/serialNumber=12/emailAddress=a@example.org/SN=s/street=t',
      'DC=org,DC=example,UID=u,SERIALNUMBER=12,EMAILADDRESS=a@example.org,SN=s,STREET=t',
    ],
  ])('%j is one in all ways in which node and openssl write it', (made, normal) => {
    const { node, openssl } = subjectsOf(made);
    expect(normaliseSubject(node)).toBe(normal);
    expect(openssl.map(normaliseSubject)).toEqual(openssl.map(() => normal));
    // What is stored can be written again.
    expect(normaliseSubject(normal)).toBe(normal);
  });

  it.each([
    ['CN=billing', 'cn = billing'],
    ['CN=billing,O=Example', 'O=Example,CN=billing'],
    ['CN=a+OU=b,O=x', 'O=x, OU=b + CN=a'],
    ['O="Example, Inc.",CN=x', 'CN=x,O=Example\\, Inc.'],
    ['CN=J\\C3\\BCrgen', 'CN=Jürgen'],
    ['2.5.4.97=VAT,CN=x', 'CN=x,2.5.4.97=VAT'],
    ['CN=a=b', 'CN=a\\=b'],
  ])('%s is the same as %s', (one, other) => {
    expect(normaliseSubject(one)).toBeDefined();
    expect(normaliseSubject(one)).toBe(normaliseSubject(other));
  });

  it.each([
    ['CN=billing', 'CN=Billing'],
    ['CN=billing', 'OU=billing'],
    ['CN=billing', 'CN=billing,O=Example'],
    ['CN=a,OU=b,O=c', 'CN=a,O=c,OU=b'],
    ['CN=a,OU=b', 'CN=a+OU=b'],
    ['CN=a\\,OU=b', 'CN=a,OU=b'],
    ['CN=a\\0AOU=b', 'CN=a,OU=b'],
    ['CN=a ,O=x', 'CN=a\\ ,O=x'],
    ['CN=x\\00', 'CN=x'],
    ['CN=a,CN=b,CN=b', 'CN=a,CN=a,CN=b'],
  ])('%s is another than %s', (one, other) => {
    expect(normaliseSubject(one)).toBeDefined();
    expect(normaliseSubject(one)).not.toBe(normaliseSubject(other));
  });

  it.each([
    '',
    'billing',
    '=billing',
    'CN=',
    'CN=,O=x',
    'CN=a,',
    ',CN=a',
    'CN=a,,O=b',
    'CN=a+',
    'CN=a\\',
    'CN="a',
    'CN="a"b',
    'CN=a"b"',
    'CN=#04024869',
    'CN=\\FF',
    '/C=DE/CN=billing',
    'C N=a',
    'é=a',
    '1.=a',
  ])('%j is none', (text) => {
    expect(normaliseSubject(text)).toBeUndefined();
  });
});
