import { p11kms, type Settings } from './server';
import type { Site } from './site';

/** What `p11kms restore --json` prints. */
export interface Restoration {
  readonly restored: boolean;
  readonly trouble?: string;
  readonly previousStore?: string;
  readonly onlyOnToken: readonly { keyId: string; version?: number; keyState?: string; objects: string[] }[];
  readonly onlyInStore: readonly { keyId: string; version: number; keyState: string; missing: string[] }[];
  readonly keys: { readonly total: number; readonly toRotate: number };
  readonly deletions: readonly { keyId: string; deletionDate: string }[];
  readonly finished: readonly { keyId: string; version: number }[];
  readonly forgotten: readonly { keyId: string; version: number }[];
  readonly chains?: { readonly takenOver: number; readonly adopted: number; readonly doubtful: string[] };
}

/** Runs `p11kms restore --json`, which must print nothing else. */
export async function restoration(
  site: Site,
  args: readonly string[],
  settings: Settings = {},
): Promise<Restoration & { readonly code: number | null }> {
  const { code, stdout, stderr } = await p11kms(['restore', '--json', ...args], site, settings);
  expect(stderr).toBe('');
  return { code, ...(JSON.parse(stdout) as Restoration) };
}
