import { createPublicKey } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { recordBound } from '../../src/audit/entry';
import { recorded } from '../../src/cli/recorded';
import { openStore, type Store } from '../../src/store/store';
import { auditDirectory, openStoreAudit, signatureOf } from '../../src/store-audit';
import { atEnd } from '../support/at-end';
import { p11kms } from '../support/server';
import { createSite, neighbour, type Site } from '../support/site';
import { type OpenToken, softHsm } from '../support/token';

/** What needs neither PIN nor token. */
const NO_TOKEN = {
  P11KMS_PIN_FILE: undefined,
  P11KMS_PKCS11_MODULE: undefined,
  P11KMS_TOKEN_LABEL: undefined,
};

let site: Site;
let token: OpenToken;
let store: Store;
let dir: string;

beforeAll(async () => {
  site = createSite();
  const fixture = await softHsm();
  atEnd(() => fixture.remove());
  token = await fixture.open();
  store = await openStore(site.dataDir);
  atEnd(() => store.close());
  // A store gets its identity when it is first asked for.
  await store.identity.read();
  dir = auditDirectory(site.dataDir);
});

const verify = (...args: string[]) => p11kms(['audit', 'verify', ...args], site, NO_TOKEN);

/** A chain of so many changes, signed by the token. */
async function change(count: number, signed = true): Promise<void> {
  const signature = signed && { signature: await signatureOf(store, { serial: 'serial', run: token.run }) };
  const audit = await openStoreAudit(store, {
    dataDir: site.dataDir,
    ...signature,
    fileBytes: 1 << 20,
    stepBytes: 8_192,
    checkpointEvery: 1_000,
    onTrouble: (message) => {
      throw new Error(message);
    },
  });
  for (let at = 0; at < count; at++) {
    const reservation = await audit.reserve(recordBound(0));
    await reservation.record({
      time: new Date(),
      requestId: String(at),
      protocol: 'cli',
      operation: 'CreatePrincipal',
      outcome: 'ok',
      details: { at },
    });
  }
  await audit.close();
}

const files = () => readdirSync(dir).filter((name) => name.endsWith('.jsonl'));

it('finds nothing wrong with a record that nobody touched, by the store and the token’s signature', async () => {
  await change(5);
  await change(3);
  const { code, stdout, stderr } = await verify(dir);
  expect([code, stderr]).toEqual([0, '']);
  expect(stdout).toContain('The audit record is whole.');
  expect(stdout).toMatch(/^chains +2, 0 of them open$/m);
  expect(stdout).toMatch(/^records +8$/m);
  expect(stdout).toMatch(/^lines signed +all but 0, of 12$/m);
  expect(stdout).not.toContain('to know:');
});

it('records a change that fails with its error, and lets it through', async () => {
  const place = { config: { dataDir: site.dataDir }, store };
  const failing = recorded(place, { operation: 'DeletePrincipal', details: {} }, async () => {
    throw new Error('no such principal');
  });
  await expect(failing).rejects.toThrow('no such principal');
  const lines = files().flatMap((file) => readFileSync(join(dir, file), 'utf8').trimEnd().split('\n'));
  const record = lines
    .map((line) => JSON.parse(line))
    .find(({ operation }) => operation === 'DeletePrincipal');
  expect(record).toMatchObject({ protocol: 'cli', outcome: 'failed', error: 'Error' });
});

it('names what was changed, for people and for programs, with exit code 3', async () => {
  // Chains that begin in the same second come in any order.
  const textOf = (name: string) => readFileSync(join(dir, name), 'utf8');
  const file = files().find((name) => textOf(name).includes('CreatePrincipal')) ?? '';
  const whole = textOf(file);
  writeFileSync(join(dir, file), whole.replace('CreatePrincipal', 'DeletePrincipal'));
  try {
    const { code, stdout } = await verify(dir);
    expect(code).toBe(3);
    expect(stdout).toContain(`changed: ${file}, line 2, sequence 2: the line was changed`);
    expect(stdout).toContain('The audit record is NOT whole: 1 finding.');
    const asJson = await verify('--json', dir);
    expect(asJson.code).toBe(3);
    const expected = { kind: 'changed', file, line: 2, sequence: 2 };
    expect(JSON.parse(asJson.stdout)).toMatchObject({ isWhole: false, findings: [expected] });
  } finally {
    writeFileSync(join(dir, file), whole);
  }
});

it('checks a copy without the store, against a key that was kept elsewhere, and says what it cannot see', async () => {
  const { code, stdout: pem } = await p11kms(['audit', 'public-key'], site, NO_TOKEN);
  expect(code).toBe(0);
  expect(createPublicKey(pem).asymmetricKeyDetails).toEqual({ namedCurve: 'prime256v1' });
  const elsewhere = mkdtempSync(join(tmpdir(), 'p11kms-auditor-'));
  atEnd(() => rmSync(elsewhere, { recursive: true, force: true }));
  const key = join(elsewhere, 'key.pem');
  writeFileSync(key, pem);
  const auditor = neighbour(site);
  const run = (...args: string[]) => p11kms(['audit', 'verify', ...args], auditor, NO_TOKEN);
  const kept = await run('--without-store', '--public-key', key, dir);
  expect([kept.code, kept.stderr]).toEqual([0, '']);
  expect(kept.stdout).toContain('without the store nobody sees whether whole chains are missing');
  const unkept = await run('--without-store', dir);
  expect(unkept.stdout).toContain('a forger may have signed all of it');
  const nothing = await run(dir);
  expect([nothing.code, nothing.stderr]).toEqual([1, expect.stringContaining('--without-store')]);
});

it.each([
  ['a directory that is not there', () => [join(dir, 'no')], 'cannot be read'],
  ['a key that is none', () => ['--public-key', join(dir, files()[0] ?? ''), dir], 'holds no public key'],
])('cannot check %s, and says so with exit code 1', async (_, args, message) => {
  const { code, stderr } = await verify(...args());
  expect([code, stderr]).toEqual([1, expect.stringContaining(message)]);
});
