import { renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { hashOf, lineOf } from '../../../src/audit/lines';
import { verifyAudit } from '../../../src/audit/verify';
import { kinds, newDir, newSigner, Site, STORE_ID } from './fixture';

async function closed(site = new Site(), records = 60) {
  const audit = await site.record(records, { fileBytes: 8_192, stepBytes: 4_096 });
  await audit.close();
  return { site, chain: audit.chain, files: site.files() };
}

describe('a look at an audit record', () => {
  it.each([
    ['the first', 0],
    ['one in the middle', 1],
    ['the last', -1],
  ])('finds that %s of its files is gone', async (_, index) => {
    const { site, files } = await closed();
    expect(files.length).toBeGreaterThanOrEqual(3);
    const file = files.at(index) ?? '';
    rmSync(join(site.dir, file));
    const { findings } = site.verify();
    if (index === -1) expect(findings).toEqual([expect.objectContaining({ kind: 'cut-off' })]);
    else
      expect(findings).toEqual(
        expect.arrayContaining([expect.objectContaining({ kind: 'missing-file', file })]),
      );
  });

  it('finds that a whole chain is gone', async () => {
    const { site, files, chain } = await closed();
    for (const file of files) rmSync(join(site.dir, file));
    expect(site.verify().findings).toEqual([expect.objectContaining({ kind: 'missing-chain', chain })]);
  });

  it('finds lines that were added in the right form behind the last', async () => {
    const { site, files } = await closed();
    const last = files.at(-1) ?? '';
    const bytes = site.read(last);
    const end = bytes.toString().trimEnd().split('\n').at(-1) ?? '';
    const { seq } = JSON.parse(end);
    const more = lineOf(seq + 1, hashOf(Buffer.from(end)), '"type":"record","operation":"Forged"');
    site.write(last, Buffer.concat([bytes, Buffer.from(more)]));
    expect(kinds(site.verify())).toEqual(['changed']);
  });

  it('finds a record that was changed and all links behind it made anew', async () => {
    const { site, files, chain } = await closed(new Site(), 15);
    expect(files).toHaveLength(1);
    const [file = ''] = files;
    const lines = site.read(file).toString().trimEnd().split('\n');
    let previous = '0'.repeat(64);
    const forged = lines.map((line) => {
      const { seq, prev: _, ...members } = JSON.parse(line);
      if (members.operation === 'Operation3') members.operation = 'Operation4';
      const made = lineOf(seq, previous, JSON.stringify(members).slice(1, -1));
      previous = hashOf(Buffer.from(made.slice(0, -1)));
      return made;
    });
    site.write(file, forged.join(''));
    expect(kinds(site.verify())).toEqual(expect.arrayContaining(['bad-signature', 'changed']));
    // Also where the store's head was made anew as well: the token signed what there was.
    site.heads.set(chain, { chain, sequence: lines.length, hash: previous });
    expect(kinds(site.verify())).toEqual(expect.arrayContaining(['bad-signature']));
    expect(kinds(site.verifyWithoutStore())).toEqual(expect.arrayContaining(['bad-signature']));
  });

  it('finds a chain that the store does not know, unless the token signed it to its end', async () => {
    const { site, chain } = await closed();
    const { signer: _, ...unsigned } = { signer: undefined };
    const other = new Site();
    const stranger = await other.record(3, { dir: site.dir, ...unsigned, signer: newSigner() });
    await stranger.close();
    expect(kinds(site.verify())).toEqual(['foreign', 'bad-signature', 'unknown-chain']);
    for (const file of site.files()) if (file.startsWith(stranger.chain)) rmSync(join(site.dir, file));
    site.heads.delete(chain);
    const report = site.verify();
    expect(report.findings).toEqual([]);
    expect(report.remarks).toEqual([expect.stringContaining('restored')]);
  });

  it('finds the chain of another store', async () => {
    const site = new Site();
    await (await site.open({ storeId: 'ba9876543210' })).close();
    expect(kinds(site.verify())).toEqual(['foreign']);
  });

  it('holds signatures against the key that it is given', async () => {
    const { site } = await closed();
    expect(site.verifyWithoutStore(site.signer.publicKey).findings).toEqual([]);
    expect(site.verifyWithoutStore().findings).toEqual([]);
    const wrong = site.verifyWithoutStore(newSigner().publicKey);
    expect(new Set(kinds(wrong))).toEqual(new Set(['foreign', 'bad-signature']));
  });

  it('says of a chain that nobody signed that it is so', async () => {
    const site = new Site();
    const audit = await site.open({ signer: undefined as never });
    await audit.close();
    expect(site.verify()).toMatchObject({ isWhole: true, remarks: [expect.stringContaining('signed')] });
  });

  it('takes the parts of a record from several directories', async () => {
    const { site, files } = await closed();
    const archive = newDir();
    for (const file of files.slice(0, 2)) renameSync(join(site.dir, file), join(archive, file));
    expect(site.verify().isWhole).toBe(false);
    const store = { id: STORE_ID, heads: [...site.heads.values()] };
    const both = verifyAudit({ dirs: [site.dir, archive], store, publicKey: site.signer.publicKey });
    expect(both.findings).toEqual([]);
    const twice = verifyAudit({ dirs: [site.dir, site.dir, archive], store });
    expect(new Set(kinds(twice))).toEqual(new Set(['repeated']));
  });

  it('names what is no part of the record', async () => {
    const { site } = await closed();
    site.write('notes.txt', 'x');
    expect(site.verify()).toMatchObject({ isWhole: true, remarks: [expect.stringContaining('notes.txt')] });
  });

  it('lists a thousand findings at most, and counts all', async () => {
    const { site, files } = await closed(new Site(), 3);
    const [file = ''] = files;
    site.write(file, 'x\n'.repeat(1_500));
    const { findings, findingCount } = site.verify();
    expect(findings).toHaveLength(1_000);
    expect(findingCount).toBeGreaterThanOrEqual(1_500);
  });

  it('tells how far it is', async () => {
    const { site } = await closed();
    const told: number[] = [];
    verifyAudit({ dirs: [site.dir], onProgress: (done) => void told.push(done) });
    expect(told.every((done) => done >= 0 && done <= 1)).toBe(true);
    expect(told.toSorted((one, other) => one - other)).toEqual(told);
    expect(told.at(-1)).toBeGreaterThan(0.9);
  });
});
