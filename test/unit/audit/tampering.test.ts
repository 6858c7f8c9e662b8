import * as fc from 'fast-check';
import type { AuditReport } from '../../../src/audit/findings';
import { kinds, Site } from './fixture';

/** One record that was not touched, of several files, and the way back to it. */
async function pristine() {
  const site = new Site();
  const audit = await site.record(60, { fileBytes: 4_096, stepBytes: 4_096, checkpointEvery: 10 });
  await audit.close();
  const files = new Map(site.files().map((file) => [file, site.read(file)]));
  const restore = () => {
    for (const [file, bytes] of files) site.write(file, bytes);
  };
  return { site, files, names: [...files.keys()], restore, chain: audit.chain };
}

const linesOf = (bytes: Buffer): string[] => bytes.toString('utf8').trimEnd().split('\n');
const fileOf = (lines: readonly string[]): string => lines.map((line) => `${line}\n`).join('');

describe('what somebody did to a closed chain is found and named', () => {
  let at: Awaited<ReturnType<typeof pristine>>;

  beforeAll(async () => {
    at = await pristine();
    expect(at.names.length).toBeGreaterThanOrEqual(4);
  });

  afterEach(() => at.restore());

  /** Any line of any file, as [file, index of the line]. */
  const anyLine = () =>
    fc.tuple(fc.nat(), fc.nat()).map(([file, line]): [string, number] => {
      const name = at.names[file % at.names.length] ?? '';
      return [name, line % linesOf(at.files.get(name) ?? Buffer.alloc(0)).length];
    });

  function tamper(file: string, change: (lines: string[]) => string[]): AuditReport {
    at.restore();
    at.site.write(file, fileOf(change(linesOf(at.site.read(file)))));
    return at.site.verify();
  }

  const named = ({ findings }: AuditReport, file: string, line: number) =>
    findings.some((finding) => finding.file === file && finding.line === line);

  it('and nothing where nobody did anything', () => {
    const report = at.site.verify();
    expect(report.findings).toEqual([]);
    expect(report.remarks).toEqual([]);
    expect(report.isWhole).toBe(true);
    const { chain, names } = at;
    expect(report.chains).toEqual([
      expect.objectContaining({ chain, state: 'closed', records: 60, files: names.length }),
    ]);
    expect(report.chains[0]?.signedUpTo).toBe((report.chains[0]?.sequence ?? 0) - 1);
  });

  it('a byte of a line', () => {
    void fc.assert(
      fc.property(anyLine(), fc.nat(), fc.integer({ min: 1, max: 255 }), ([file, line], offset, flip) => {
        at.restore();
        const bytes = Buffer.from(at.site.read(file));
        const lines = linesOf(bytes);
        const begin = Buffer.byteLength(fileOf(lines.slice(0, line)));
        const where = begin + (offset % Buffer.byteLength(lines[line] ?? ''));
        bytes[where] = (bytes[where] ?? 0) ^ flip;
        at.site.write(file, bytes);
        const report = at.site.verify();
        expect(report.isWhole).toBe(false);
        // A line break in the place of its first byte leaves an empty line, which is no fault of its own.
        const isPushed = where === begin && bytes[where] === 0x0a;
        expect(named(report, file, isPushed ? line + 2 : line + 1)).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  it('a line break that is gone', () => {
    void fc.assert(
      fc.property(anyLine(), ([file, line]) => {
        at.restore();
        const text = fileOf(linesOf(at.site.read(file)));
        const end = fileOf(linesOf(at.site.read(file)).slice(0, line + 1)).length;
        at.site.write(file, text.slice(0, end - 1) + text.slice(end));
        expect(named(at.site.verify(), file, line + 1)).toBe(true);
      }),
    );
  });

  it('a line that is gone', () => {
    void fc.assert(
      fc.property(anyLine(), ([file, line]) => {
        const report = tamper(file, (lines) => lines.toSpliced(line, 1));
        expect(kinds(report).some((kind) => kind === 'missing' || kind === 'cut-off')).toBe(true);
      }),
    );
  });

  it('a line that stands there twice', () => {
    void fc.assert(
      fc.property(anyLine(), fc.nat(), ([file, line], to) => {
        const report = tamper(file, (lines) => {
          const where = line + 1 + (to % (lines.length - line));
          return lines.toSpliced(where, 0, lines[line] ?? '');
        });
        expect(kinds(report)).toEqual(expect.arrayContaining(['repeated']));
      }),
    );
  });

  it('lines that changed places', () => {
    void fc.assert(
      fc.property(anyLine(), fc.nat(), ([file, one], other) => {
        let differ = false;
        const report = tamper(file, (lines) => {
          const two = other % lines.length;
          differ = one !== two;
          return lines.with(one, lines[two] ?? '').with(two, lines[one] ?? '');
        });
        expect(report.isWhole).toBe(!differ);
      }),
    );
  });

  it('a file that was cut, at any byte', () => {
    void fc.assert(
      fc.property(anyLine(), fc.nat(), ([file], bytes) => {
        at.restore();
        const whole = at.site.read(file);
        at.site.write(file, whole.subarray(0, bytes % whole.length));
        expect(at.site.verify().isWhole).toBe(false);
      }),
      { numRuns: 200 },
    );
  });

  it('lines that were added behind the last, also with the right links', () => {
    const last = at.names.at(-1) ?? '';
    for (const more of ['x', '{"seq":1}\n', 'x'.repeat(3_000_000)]) {
      at.restore();
      at.site.write(last, Buffer.concat([at.site.read(last), Buffer.from(more)]));
      expect(at.site.verify().isWhole).toBe(false);
    }
  });

  it('files that were put in each other’s place', () => {
    const [one = '', two = ''] = at.names;
    at.site.write(one, at.files.get(two) ?? '');
    at.site.write(two, at.files.get(one) ?? '');
    expect(kinds(at.site.verify())).toEqual(expect.arrayContaining(['foreign']));
  });
});
