import { type Finished, p11kms, type Settings } from './server';
import type { Site } from './site';

/** What `p11kms doctor --json` prints. */
export interface Diagnosis {
  readonly canRun: boolean;
  readonly trouble?: string;
  readonly report?: {
    readonly token: { readonly label: string; readonly serial: string };
    readonly mechanisms: readonly { name: string; number: number; found: boolean; proved?: boolean }[];
    readonly specs: readonly { name: string; works: boolean }[];
    readonly dialect?: { readonly wrapping: string };
    readonly canExport: boolean;
    readonly missing: readonly string[];
  };
  readonly store: { readonly directory?: string; readonly database?: string; readonly id?: string };
  readonly unknownObjects: readonly { id: string; label: string }[];
  readonly removed: readonly string[];
}

/** Runs `p11kms doctor`. */
export const doctor = (
  site: Site,
  args: readonly string[] = [],
  settings: Settings = {},
): Promise<Finished> => p11kms(['doctor', ...args], site, settings);

/** Runs `p11kms doctor --json`, which must print nothing else. */
export async function diagnosis(
  site: Site,
  args: readonly string[] = [],
  settings: Settings = {},
): Promise<Diagnosis & { readonly code: number | null }> {
  const { code, stdout, stderr } = await doctor(site, ['--json', ...args], settings);
  expect(stderr).toBe('');
  return { code, ...(JSON.parse(stdout) as Diagnosis) };
}
