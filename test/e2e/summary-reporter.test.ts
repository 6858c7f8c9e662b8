import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { runToEnd } from '../support/program';

const root = resolve(__dirname, '../..');

describe("the tests' last line", () => {
  let directory: string;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'p11kms-summary-'));
    const reporters = ['default', join(root, 'test/support/summary-reporter.cjs')];
    writeFileSync(join(directory, 'jest.config.json'), JSON.stringify({ reporters, transform: {} }));
    writeFileSync(join(directory, 'passes.test.js'), 'it("a", () => {}); it("b", () => {});');
  });

  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  async function lastLine() {
    const jest = [join(root, 'node_modules/jest/bin/jest.js'), '--rootDir', directory];
    const { exitCode, output } = await runToEnd(process.execPath, jest, {
      cwd: directory,
      env: { PATH: process.env.PATH },
    });
    return { exitCode, line: output.trimEnd().split('\n').at(-1) };
  }

  it('counts what passed', async () => {
    expect(await lastLine()).toEqual({ exitCode: 0, line: '2 passed, 0 failed' });
  });

  it('counts failed and skipped tests, and files that do not load', async () => {
    const mixed = 'it("c", () => { throw new Error(); }); it.skip("d", () => {}); it.todo("e");';
    writeFileSync(join(directory, 'mixed.test.js'), mixed);
    writeFileSync(join(directory, 'broken.test.js'), 'require("./not-there");');
    writeFileSync(join(directory, 'empty.test.js'), '');
    expect(await lastLine()).toEqual({ exitCode: 1, line: '2 passed, 3 failed, 2 skipped' });
  });
});
