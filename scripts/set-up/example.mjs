import { chmodSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { shellQuote, tokenFiles } from '../../softhsm/token-directory.mjs';
import { CONTENT_TYPE, readCredentials, signedRequest } from '../signed-request.mjs';

const ALIAS = 'alias/p11kms-example';
const REQUEST = { KeyId: ALIAS, KeyPairSpec: 'ECC_NIST_P256', EncryptionContext: { Purpose: 'Test' } };

/**
 * One real GenerateDataKeyPair, printed with its answer and the command that repeats it. What fails is said
 * in one line and is no reason to stop: the service runs. Says nothing where `ended` is aborted: it ran.
 */
export async function showExample({ url }, { env, region, dataDir }, ended) {
  try {
    const client = { url, region, credentials: readCredentials(join(dataDir, 'credentials')) };
    await provideKey(client);
    const answer = await call(client, 'GenerateDataKeyPair', REQUEST);
    const curl = curlCommand(client, writeCurlConfig(dataDir, client.credentials));
    // In one piece, so that no line of the service's log comes between.
    process.stdout.write(`\n${exampleText(answer, curl)}\n${commandsText(env)}\n`);
  } catch (error) {
    if (!ended.aborted) process.stdout.write(`p11kms: no example: ${error.message}\n`);
  }
}

/** The key behind the alias is made once, and found again by every later start. */
async function provideKey(client) {
  const found = await call(client, 'DescribeKey', { KeyId: ALIAS });
  if (found.status === 200) return;
  if (!isError(found, 'NotFoundException')) throw failure('DescribeKey', found);
  const created = await call(client, 'CreateKey', { Description: 'The example of npm start' });
  if (created.status !== 200) throw failure('CreateKey', created);
  const named = await call(client, 'CreateAlias', {
    AliasName: ALIAS,
    TargetKeyId: created.body.KeyMetadata.KeyId,
  });
  if (named.status !== 200) throw failure('CreateAlias', named);
}

async function call({ url, region, credentials }, operation, input) {
  const { headers, body } = await signedRequest(url, operation, input, { region, credentials });
  const answer = await fetch(url, { method: 'POST', headers, body, signal: AbortSignal.timeout(30_000) });
  const text = await answer.text();
  return {
    status: answer.status,
    line: `HTTP/1.1 ${answer.status} ${answer.statusText}`,
    contentType: answer.headers.get('content-type'),
    body: text === '' ? {} : JSON.parse(text),
  };
}

/** curl takes the secret from a file: an argument could be seen by everybody on the machine. */
function writeCurlConfig(dataDir, { accessKeyId, secretAccessKey }) {
  const file = join(dataDir, 'credentials.curl');
  writeFileSync(file, `user = "${accessKeyId}:${secretAccessKey}"\n`, { mode: 0o600 });
  // The mode of a file that is there stays what it was.
  chmodSync(file, 0o600);
  return file;
}

function isError({ body }, name) {
  return String(body.__type).split('#').at(-1) === name;
}

function failure(operation, { line, body }) {
  return new Error(`${operation} was answered with ${line} ${JSON.stringify(body)}`);
}

function exampleText({ line, contentType, body }, curl) {
  const message = [
    'POST / HTTP/1.1',
    `Content-Type: ${CONTENT_TYPE}`,
    'X-Amz-Target: TrentService.GenerateDataKeyPair',
    'X-Amz-Date: …',
    'Authorization: AWS4-HMAC-SHA256 Credential=…, SignedHeaders=content-type;host;x-amz-date;x-amz-target, Signature=…',
    '',
    JSON.stringify(REQUEST, null, 2),
    '',
    line,
    `Content-Type: ${contentType}`,
    '',
    JSON.stringify(body, null, 2),
  ];
  return `A key pair from the token:\n\n${indented(message.join('\n'))}\n\nAnother one:\n\n  ${curl}\n`;
}

function curlCommand({ url, region }, config) {
  return [
    `curl -sS -K ${shellQuote(relative(process.cwd(), config))} --aws-sigv4 aws:amz:${region}:kms ${shellQuote(url)}`,
    `-H 'Content-Type: ${CONTENT_TYPE}'`,
    `-H 'X-Amz-Target: TrentService.GenerateDataKeyPair'`,
    `-d ${shellQuote(JSON.stringify(REQUEST))}`,
  ].join(' ');
}

function commandsText(env) {
  const { env: file } = tokenFiles(env.P11KMS_DATA_DIR);
  const near = relative(process.cwd(), file);
  // Bash finds a file without a slash in its name on the PATH only, and an absolute path always.
  const shown = near.startsWith('..') || !near.includes('/') ? file : near;
  return `Other commands on the same token:\n\n  . ${shellQuote(shown)} && npx p11kms doctor\n`;
}

function indented(text) {
  return text.replaceAll(/^(?=.)/gm, '  ');
}
