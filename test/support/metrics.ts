import { get } from './kms-client';
import { eventually } from './server';

interface Target {
  readonly url: string;
}

/** The sum of a metric's series that have these labels; undefined if there is none. */
export async function metric(
  server: Target,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): Promise<number | undefined> {
  const { text } = await get(server, '/metrics');
  const values = text
    .split('\n')
    .map((line) => /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line))
    .filter((sample) => sample?.[1] === name && hasLabels(sample[2], labels))
    .map((sample) => Number(sample?.[3]));
  return values.length === 0 ? undefined : values.reduce((sum, value) => sum + value);
}

const hasLabels = (given = '', wanted: Readonly<Record<string, string>>): boolean =>
  Object.entries(wanted).every(([label, value]) => given.split(',').includes(`${label}="${value}"`));

/** Waits until so many token workers are ready: those that ended have got their successors. */
export async function workersReady(server: Target, count = 4, limitMs = 10_000): Promise<void> {
  let alive: number | undefined;
  const complete = async () => {
    alive = await metric(server, 'p11kms_token_workers_alive');
    return alive === count || undefined;
  };
  await eventually(complete, limitMs, () => `${alive} of ${count} token workers are ready`);
}
