import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { lockDataDirectory } from '../../../src/store/lock';

const LOCK_IN_PROCESS = `
  require(process.argv[1]).lockDataDirectory(process.argv[2]);
  if (process.argv[3] === 'die') process.kill(process.pid, 'SIGKILL');
`;

function lockInProcess(dataDir: string, then = ''): void {
  const module = resolve(__dirname, '../../../dist/store/lock.js');
  execFileSync(process.execPath, ['-e', LOCK_IN_PROCESS, module, dataDir, then], { stdio: 'pipe' });
}

describe('the lock of a data directory', () => {
  let dataDir: string;

  beforeEach(() => {
    dataDir = mkdtempSync(join(tmpdir(), 'p11kms-lock-'));
  });

  afterEach(() => rmSync(dataDir, { recursive: true }));

  it('keeps another process out, and says what to do', () => {
    const unlock = lockDataDirectory(dataDir);
    expect(() => lockInProcess(dataDir)).toThrow(/another p11kms runs on .*P11KMS_DATA_DIR/);
    unlock();
    lockInProcess(dataDir);
  });

  it('falls with a process that is killed', () => {
    expect(() => lockInProcess(dataDir, 'die')).toThrow();
    lockDataDirectory(dataDir)();
  });

  it('is readable by its owner only', () => {
    lockDataDirectory(dataDir)();
    expect(statSync(join(dataDir, 'service.lock')).mode & 0o777).toBe(0o600);
  });

  it('says so where the directory is none', () => {
    const file = join(dataDir, 'file');
    writeFileSync(file, '');
    expect(() => lockDataDirectory(file)).toThrow(/the data directory .*file cannot be used/);
  });
});
