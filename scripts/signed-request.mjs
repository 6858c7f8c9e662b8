/** Signed requests to TrentService, for the scripts. */
import { readFileSync } from 'node:fs';
import { Sha256 } from '@smithy/core/checksum';
import { SignatureV4 } from '@smithy/signature-v4';

export const CONTENT_TYPE = 'application/x-amz-json-1.1';

/** The first access key in an AWS shared-credentials file. */
export function readCredentials(file) {
  const text = readFileSync(file, 'utf8');
  const read = (name) => {
    const value = new RegExp(`^${name}\\s*=\\s*(\\S+)`, 'm').exec(text)?.[1];
    if (value === undefined) throw new Error(`${file} has no ${name}`);
    return value;
  };
  return { accessKeyId: read('aws_access_key_id'), secretAccessKey: read('aws_secret_access_key') };
}

/** A request that signs for itself for five minutes: what `fetch` and the load tool want. */
export async function signedRequest(url, operation, input, { credentials, region }) {
  const body = JSON.stringify(input);
  const { host, hostname, protocol } = new URL(url);
  const signer = new SignatureV4({ service: 'kms', region, credentials, sha256: Sha256 });
  const { headers } = await signer.sign({
    method: 'POST',
    protocol,
    hostname,
    path: '/',
    query: {},
    headers: { host, 'content-type': CONTENT_TYPE, 'x-amz-target': `TrentService.${operation}` },
    body,
  });
  return { url, headers, body };
}
