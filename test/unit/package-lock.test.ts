import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';

interface Locked {
  readonly resolved?: string;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const text = readFileSync(resolve(__dirname, '../../package-lock.json'), 'utf8');
const packages: Record<string, Locked> = JSON.parse(text).packages;

describe('package-lock.json', () => {
  // npm install leaves those out that it cannot find, and `npm ci` then refuses the whole file.
  it('names the optional packages of other platforms too', () => {
    const missing = Object.entries(packages).flatMap(([path, { optionalDependencies = {} }]) =>
      Object.keys(optionalDependencies).filter(
        (name) => !(`node_modules/${name}` in packages || `${path}/node_modules/${name}` in packages),
      ),
    );
    expect(missing).toEqual([]);
  });

  it('names no registry, so that npm asks the one it is set up for', () => {
    const named = Object.values(packages).filter(({ resolved }) => resolved !== undefined);
    expect(named).toEqual([]);
  });
});
