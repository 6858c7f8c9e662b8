import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import SQLite from 'better-sqlite3';
import { type AuditLine, auditRecords, verifyAudit } from '../support/audit-log';
import { diagnosis, doctor } from '../support/doctor';
import { createKey } from '../support/keys';
import { kmsClient } from '../support/kms-client';
import { createUser } from '../support/principals';
import { Program } from '../support/program';
import { restoration } from '../support/restoration';
import { p11kms, startServer } from '../support/server';
import { createSite, neighbour, type Site, tokenObjects } from '../support/site';

const MAIN = resolve(__dirname, '../../dist/main.js');

const site = createSite();
const backup = join(site.token.directory, 'backup');
const audit = ({ dataDir }: Site) => join(dataDir, 'audit');

const recordsOf = (operation: string, where: Site = site): AuditLine[] =>
  auditRecords(where).filter((record) => record.operation === operation);

/** The file of the chain that has the record. */
function fileWith(text: string, where: Site): string {
  const files = readdirSync(audit(where)).map((name) => join(audit(where), name));
  const file = files.find((one) => readFileSync(one, 'utf8').includes(text));
  if (!file) throw new Error(`no record has ${text}`);
  return file;
}

/** Another machine, to which the audit directory was brought. */
function newMachine(): Site {
  const machine = neighbour(site);
  cpSync(audit(site), audit(machine), { recursive: true });
  return machine;
}

/** What `p11kms audit verify` finds. */
async function findings(where: Site): Promise<{ code: number | null; kinds: string[] }> {
  const { code, stdout } = await verifyAudit(where, '--json');
  const { findings } = JSON.parse(stdout) as { findings: { kind: string }[] };
  return { code, kinds: findings.map(({ kind }) => kind) };
}

const whole = { code: 0, kinds: [] };

// One story, told in its order: a backup of a service at work, what comes after it, a crash, the restore.

beforeAll(async () => {
  const server = await startServer(site);
  const client = kmsClient(server);
  await createKey(client);
  expect(await p11kms(['backup', backup], site)).toMatchObject({ code: 0 });
  await createKey(client);
  await createUser(site, 'later');
  await server.kill();
});

describe('p11kms restore', () => {
  it('records nothing where it changes nothing', async () => {
    expect((await restoration(site, ['--check', backup])).code).toBe(3);
    expect((await restoration(site, [backup])).code).toBe(3);
    expect(recordsOf('RestoreStore')).toEqual([]);
  });

  it('records an attempt that fails, in a chain that the store which stays knows', async () => {
    const reader = new SQLite(join(site.dataDir, 'p11kms.sqlite'));
    reader.exec('begin');
    reader.prepare('select id from store').get();
    const { code, trouble } = await restoration(site, ['--yes', backup]);
    reader.close();
    expect([code, trouble]).toEqual([1, expect.stringContaining('is in use by another process')]);
    expect(recordsOf('RestoreStore')).toMatchObject([{ protocol: 'cli', outcome: 'failed' }]);
    expect(await findings(site)).toEqual(whole);
  });

  it('changes nothing where it cannot be recorded', async () => {
    renameSync(audit(site), `${audit(site)}.away`);
    writeFileSync(audit(site), '');
    const store = readFileSync(join(site.dataDir, 'p11kms.sqlite'));
    const { code, trouble } = await restoration(site, ['--yes', backup]);
    expect([code, trouble]).toEqual([1, expect.stringContaining('cannot be used')]);
    expect(readFileSync(join(site.dataDir, 'p11kms.sqlite')).equals(store)).toBe(true);
    rmSync(audit(site));
    renameSync(`${audit(site)}.away`, audit(site));
  });

  it('onto a new machine adopts the chains there that are as they were written', async () => {
    const machine = newMachine();
    const { code, chains } = await restoration(machine, ['--yes', backup]);
    expect({ code, chains }).toEqual({ code: 0, chains: { takenOver: 0, adopted: 2, doubtful: [] } });
    expect(recordsOf('RestoreStore', machine).at(-1)).toMatchObject({
      outcome: 'ok',
      details: { chainsAdopted: 2, chainsDoubtful: 0 },
    });
    expect(await findings(machine)).toEqual(whole);
    rmSync(fileWith('"name":"later"', machine));
    expect(await findings(machine)).toEqual({ code: 3, kinds: ['missing-chain'] });
  });

  it('adopts no chain that was changed', async () => {
    const machine = newMachine();
    const file = fileWith('"name":"later"', machine);
    writeFileSync(file, readFileSync(file, 'utf8').replace('"name":"later"', '"name":"mallory"'));
    const { code, chains } = await restoration(machine, ['--yes', backup]);
    expect(code).toBe(0);
    expect(chains?.doubtful.map((chain) => file.includes(chain))).toEqual([true]);
    expect(await findings(machine)).toEqual({
      code: 3,
      kinds: expect.arrayContaining(['changed', 'unknown-chain']),
    });
  });

  it('leaves a record that is whole also where it is killed', async () => {
    const machine = neighbour(site);
    cpSync(site.dataDir, machine.dataDir, { recursive: true });
    const env = { ...process.env, ...machine.env };
    const program = new Program(process.execPath, [MAIN, 'restore', '--yes', backup], { env });
    let ended = false;
    void program.exitCode.then(() => {
      ended = true;
    });
    const isTime = () => readdirSync(machine.dataDir).some((name) => name.includes('before-restore'));
    while (!ended && !existsSync(join(machine.dataDir, 'restore.tmp'))) await sleep(1);
    while (!ended && !isTime()) await new Promise(setImmediate);
    program.kill('SIGKILL');
    await program.exitCode;
    expect(await findings(machine)).toEqual(whole);
    expect((await restoration(machine, ['--yes', backup])).code).toBe(0);
    expect(await findings(machine)).toEqual(whole);
  });

  it('records what it did, and the store that it restored knows what the one before knew', async () => {
    const { code, chains } = await restoration(site, ['--yes', backup]);
    expect({ code, chains }).toEqual({ code: 0, chains: { takenOver: 2, adopted: 0, doubtful: [] } });
    expect(recordsOf('RestoreStore').at(-1)).toMatchObject({
      protocol: 'cli',
      principal: expect.stringMatching(/^os-user\//),
      outcome: 'ok',
      details: { from: backup, keys: 1, onlyOnToken: 1, onlyInStore: 0, chainsTakenOver: 2 },
    });
    expect(await findings(site)).toEqual(whole);
    const file = fileWith('"name":"later"', site);
    renameSync(file, `${site.token.directory}/chain`);
    expect(await findings(site)).toEqual({ code: 3, kinds: ['missing-chain'] });
    renameSync(`${site.token.directory}/chain`, file);
  });
});

describe('p11kms doctor', () => {
  it('records nothing where it only looks', async () => {
    const files = readdirSync(audit(site));
    expect((await diagnosis(site)).unknownObjects).toHaveLength(2);
    expect(readdirSync(audit(site))).toEqual(files);
  });

  it('--remove records what it refuses', async () => {
    const [object] = (await diagnosis(site)).unknownObjects;
    const stranger = '00'.repeat(16);
    expect((await doctor(site, ['--remove', String(object?.id), stranger])).code).toBe(1);
    expect(recordsOf('RemoveTokenObjects')).toMatchObject([
      { protocol: 'cli', outcome: 'refused', error: 'NOT_FOUND', details: { ids: stranger } },
    ]);
  });

  it('--remove removes nothing where that cannot be recorded', async () => {
    const [object] = (await diagnosis(site)).unknownObjects;
    const before = tokenObjects(site);
    renameSync(audit(site), `${audit(site)}.away`);
    writeFileSync(audit(site), '');
    const { code, stderr } = await doctor(site, ['--remove', String(object?.id)]);
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(/^p11kms: the audit directory .* cannot be used/),
    ]);
    expect(tokenObjects(site)).toEqual(before);
    rmSync(audit(site));
    renameSync(`${audit(site)}.away`, audit(site));
  });

  it('--remove records what it removes', async () => {
    const { unknownObjects } = await diagnosis(site);
    const ids = unknownObjects.map(({ id }) => id);
    expect(await diagnosis(site, ['--remove', ...ids])).toMatchObject({ code: 0, removed: ids });
    const labels = unknownObjects.map(({ label }) => label).join(' ');
    expect(recordsOf('RemoveTokenObjects').at(-1)).toMatchObject({
      outcome: 'ok',
      details: { ids: ids.join(' '), labels },
    });
    expect(await findings(site)).toEqual(whole);
  });

  it('--remove refuses and records nothing where there is no store', async () => {
    const P11KMS_DATA_DIR = join(site.token.directory, 'empty');
    mkdirSync(P11KMS_DATA_DIR);
    const { code, stderr } = await doctor(site, ['--remove', '00'.repeat(16)], { P11KMS_DATA_DIR });
    expect([code, stderr]).toEqual([
      1,
      `p11kms: there is no store in ${P11KMS_DATA_DIR}: nothing was removed\n`,
    ]);
    expect(readdirSync(P11KMS_DATA_DIR)).toEqual([]);
  });
});
