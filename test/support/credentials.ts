import { existsSync, readFileSync } from 'node:fs';
import type { Site } from './site';

/** An access key. */
export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** The access key in a file of AWS's shared-credentials format, which has one profile. */
export function readCredentials(file: string): Credentials {
  const text = readFileSync(file, 'utf8');
  const read = (name: string) =>
    new RegExp(`^${name} *= *(\\S+)$`, 'm').exec(text)?.[1] ?? missing(file, name);
  return { accessKeyId: read('aws_access_key_id'), secretAccessKey: read('aws_secret_access_key') };
}

function missing(file: string, name: string): never {
  throw new Error(`${file} has no ${name}`);
}

/** The root principal's, which the first service on the store has written down. */
export function rootCredentials({ credentialsFiles }: Site): Credentials {
  const file = credentialsFiles.find((path) => existsSync(path));
  if (file === undefined) throw new Error(`there is none of ${credentialsFiles.join(', ')}`);
  return readCredentials(file);
}
