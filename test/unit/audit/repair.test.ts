import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { lockFile } from '../../../src/store/lock';
import { entry, newDir, record, Site } from './fixture';

const repairsIn = (site: Site) => site.lines().filter(({ operation }) => operation === 'RepairAuditFile');

/** What a process leaves that was killed: files with line breaks behind the records, and the lock's file. */
async function killed(records: number) {
  const site = new Site();
  const audit = await site.record(records - 1);
  const { principal, key, accessKeyId, source, ...short } = entry();
  await record(audit, short);
  const heads = new Map(site.heads);
  const crashed = new Site(site.signer);
  cpSync(site.dir, crashed.dir, { recursive: true });
  for (const [chain, head] of heads) crashed.heads.set(chain, head);
  await audit.close();
  return { site: crashed, chain: audit.chain, last: crashed.files().at(-1) ?? '' };
}

describe('what a crash leaves', () => {
  it('verifies before it is repaired, and after', async () => {
    const { site, chain } = await killed(30);
    expect(site.verify()).toMatchObject({ findings: [], chains: [{ chain, state: 'open', records: 30 }] });
    const audit = await site.open();
    await audit.close();
    const { findings, chains } = site.verify();
    expect(findings).toEqual([]);
    expect(chains).toHaveLength(2);
    for (const one of chains) {
      const expected = one.chain === chain ? ['broken-off', 30] : ['closed', 1];
      expect([one.state, one.records]).toEqual(expected);
    }
    expect(repairsIn(site)).toMatchObject([{ outcome: 'ok', details: { chain, droppedBytes: 0 } }]);
    expect(readdirSync(site.dir).filter((name) => name.endsWith('.lock'))).toEqual([]);
    for (const file of site.files()) expect(site.read(file).toString()).toMatch(/[^\n]\n$/);
  });

  it('is repaired whichever byte of its last line was the last to be written', async () => {
    const { site, chain, last } = await killed(3);
    const bytes = site.read(last);
    const end = bytes.toString().trimEnd().length;
    const begin = bytes.lastIndexOf('\n', end - 1) + 1;
    const head = site.heads.get(chain);
    for (let at = begin; at <= end; at++) {
      const copy = new Site(site.signer);
      cpSync(site.dir, copy.dir, { recursive: true });
      // The store had not heard of the line: nobody had been answered.
      copy.heads.set(chain, {
        chain,
        sequence: 3,
        hash: JSON.parse(bytes.toString('utf8', begin, end)).prev,
      });
      copy.write(last, Buffer.concat([bytes.subarray(0, at), Buffer.alloc(2_000, '\n')]));
      expect(copy.verify().findings).toEqual([]);
      await (await copy.open({ signer: undefined as never })).close();
      expect(copy.verify().findings).toEqual([]);
      const whole = at === end;
      expect(repairsIn(copy)[0]?.details).toMatchObject({
        sequence: whole ? head?.sequence : 3,
        droppedBytes: whole ? 0 : at - begin,
      });
      rmSync(copy.dir, { recursive: true });
    }
  }, 120_000);

  it('is repaired where the disk wrote a later part of a commit and not an earlier', async () => {
    const { site, chain, last } = await killed(3);
    const bytes = site.read(last);
    const end = bytes.toString().trimEnd().length;
    const torn = Buffer.concat([
      Buffer.alloc(500, '\n'),
      Buffer.from('quest":1}\n{"seq":9}\n'),
      Buffer.alloc(50, '\n'),
    ]);
    site.write(last, Buffer.concat([bytes.subarray(0, end + 1), torn]));
    expect(site.verify().findings).toEqual([]);
    await (await site.open()).close();
    expect(site.verify().findings).toEqual([]);
    expect(repairsIn(site)).toMatchObject([{ outcome: 'ok', details: { chain, droppedBytes: 18 } }]);
  });

  it('is left as it is where the store knows more: a crash does not do that', async () => {
    const { site, chain, last } = await killed(30);
    const bytes = site.read(last);
    const cut = bytes.subarray(0, bytes.lastIndexOf('\n', bytes.toString().trimEnd().length - 1) + 20);
    site.write(last, cut);
    await (await site.open()).close();
    expect(site.read(last)).toEqual(cut);
    const all = site.files().map((file) => site.read(file).toString());
    expect(all.join('')).toContain('"operation":"RepairAuditFile","outcome":"refused"');
    expect(site.verify().findings).toEqual(
      expect.arrayContaining([expect.objectContaining({ kind: 'cut-off', chain })]),
    );
  });

  it('is a file without a line where the crash came right after it was made', async () => {
    const site = new Site();
    const first = await site.open();
    await first.close();
    const chain = '20260101T000000Z-0123456789ab';
    site.heads.set(chain, { chain, sequence: 0, hash: '0'.repeat(64) });
    site.write(`${chain}.lock`, '');
    site.write(`${chain}-000001.jsonl`, '\n'.repeat(8_192));
    expect(site.verify().findings).toEqual([]);
    await (await site.open()).close();
    expect(site.verify()).toMatchObject({ isWhole: true, chains: [{}, {}] });
    expect(site.files().some((file) => file.startsWith(chain))).toBe(false);
  });

  it('is held by the chain of the process that repaired it', async () => {
    const { site, chain, last } = await killed(3);
    await (await site.open()).close();
    const lines = site.read(last).toString().trimEnd().split('\n');
    site.write(
      last,
      lines
        .slice(0, -1)
        .map((line) => `${line}\n`)
        .join(''),
    );
    const { findings } = site.verifyWithoutStore(site.signer.publicKey);
    expect(findings).toEqual([expect.objectContaining({ kind: 'cut-off', chain })]);
  });

  it('is missed where its files are gone and the store knows nothing of it', async () => {
    const { site, chain } = await killed(3);
    await (await site.open()).close();
    for (const file of site.files()) if (file.startsWith(chain)) rmSync(join(site.dir, file));
    for (const forget of [
      () => site.heads.set(chain, { chain, sequence: 0, hash: '' }),
      () => site.heads.delete(chain),
    ]) {
      forget();
      expect(site.verify().findings).toEqual([expect.objectContaining({ kind: 'missing-chain', chain })]);
    }
  });
});

it('the chain of a process that lives is not touched', async () => {
  const site = new Site();
  const audit = await site.open();
  await record(audit);
  const other = await site.open();
  await other.close();
  await record(audit);
  await audit.close();
  expect(repairsIn(site)).toEqual([]);
  expect(site.verify()).toMatchObject({ isWhole: true, chains: [{ state: 'closed' }, { state: 'closed' }] });
});

it('a lock is one process’s at a time', () => {
  const file = join(newDir(), 'lock');
  const unlock = lockFile(file);
  expect(lockFile(file)).toBeUndefined();
  expect(readdirSync(dirname(file))).toEqual(['lock']);
  unlock?.();
  const again = lockFile(file);
  expect(again).toBeDefined();
  again?.();
});

it('a directory that cannot be used is a reason not to start', async () => {
  const file = join(newDir(), 'file');
  writeFileSync(file, '');
  await expect(new Site().open({ dir: join(file, 'audit') })).rejects.toMatchObject({
    name: 'StartError',
    message: expect.stringContaining('audit directory'),
  });
});

it('whatever a killed process said is recorded, is recorded', async () => {
  for (const records of [1, 40, 400]) {
    const site = new Site();
    const child = spawn(process.execPath, [join(__dirname, 'records-in-a-loop.cjs'), site.dir], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let said = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      said += text;
      if (said.split('recorded').length > records) child.kill('SIGKILL');
    });
    await once(child, 'close');
    const complete = said.slice(0, said.lastIndexOf('\n')).split('\n');
    for (const [word, chain = '', sequence, hash = ''] of complete.map((line) => line.split(' ')))
      if (word === 'head') site.heads.set(chain, { chain, sequence: Number(sequence), hash });
    expect(site.verify().findings).toEqual([]);
    await (await site.open()).close();
    expect(site.verify().findings).toEqual([]);
    const recorded = new Set(site.lines().map(({ requestId }) => `recorded ${requestId}`));
    const answered = complete.filter((line) => line.startsWith('recorded'));
    expect(answered.length).toBeGreaterThanOrEqual(records);
    expect(answered.filter((line) => !recorded.has(line))).toEqual([]);
  }
}, 60_000);
