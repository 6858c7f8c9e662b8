import { request as httpRequest, type IncomingHttpHeaders, type RequestOptions } from 'node:http';
import { Writable } from 'node:stream';
import { createKeyPairLimit } from '../../../src/api/alibaba/key-pair-limit';
import type { AppParts } from '../../../src/api/http';
import type { Protocol, ProtocolAnswer } from '../../../src/api/protocol';
import { trent } from '../../../src/api/trent/handler';
import type { Audit } from '../../../src/audit/audit';
import type { AuditEntry } from '../../../src/audit/entry';
import { createArns } from '../../../src/kms/arns';
import type { Key, KeyArn, KeyId, KeyVersion } from '../../../src/kms/key';
import type { Kms } from '../../../src/kms/kms';
import { createLogger, type Logger } from '../../../src/telemetry/logger';

export const KEY_ID = '1234abcd-12ab-34cd-56ef-1234567890ab' as KeyId;
export const KEY_ARN = `arn:aws:kms:us-east-1:111122223333:key/${KEY_ID}` as KeyArn;
export const REQUEST_ID = '3b241101-e2bb-4255-8caf-4136c566a962';

const version = (number: number): KeyVersion => ({
  number,
  encryptObject: `0${number}`.repeat(16),
  wrapObject: `1${number}`.repeat(16),
  materialId: `a${number}`.repeat(32),
});

export const OLD_VERSION = version(1);
export const KEY: Key = {
  id: KEY_ID,
  arn: KEY_ARN,
  description: 'a key',
  state: 'enabled',
  createdAt: new Date('2026-01-02T03:04:05.678Z'),
  current: version(2),
  versions: new Map([
    [1, OLD_VERSION],
    [2, version(2)],
  ]),
};

export const ROOT_ARN = 'arn:aws:iam::111122223333:root';

/** The operations are given this; the domain's functions, which would look into it, are mocked. */
export const KMS = {
  arns: createArns('arn:aws:kms:us-east-1:111122223333'),
  token: { report: { dialect: { wrapping: 'kwp+gcm' }, token: { serial: 'a-serial' } } },
  principals: {
    root: () => ({
      identity: {
        arn: ROOT_ARN,
        account: '111122223333',
        kind: 'root',
        name: 'root',
      },
      policies: [],
    }),
  },
} as unknown as Kms;

/** Whoever asks is the root principal. */
export const ADMISSION: AppParts['admission'] = {
  auth: 'none',
  region: 'us-east-1',
  quota: { take: () => undefined },
  keyPairLimit: createKeyPairLimit(),
};
export const SOURCE = { address: '127.0.0.1', secure: false };

export const HEADERS = { 'content-type': 'application/x-amz-json-1.1' };

/** What TrentService answers to a request: the handler is called as the server would call it. */
export async function call(
  operation: string,
  request: unknown,
  headers: IncomingHttpHeaders = HEADERS,
): Promise<ProtocolAnswer> {
  const body = Buffer.isBuffer(request) ? request : Buffer.from(JSON.stringify(request));
  return ask(trent(KMS, ADMISSION), body, { ...headers, 'x-amz-target': `TrentService.${operation}` });
}

/** What a protocol answers to a POST of `/`. */
export const ask = (
  protocol: Protocol,
  body: Buffer,
  headers: IncomingHttpHeaders,
): Promise<ProtocolAnswer> =>
  protocol.answer({
    id: REQUEST_ID,
    method: 'POST',
    url: '/',
    headers,
    rawHeaders: [],
    body,
    source: SOURCE,
    isGone: () => false,
    takeLongBody: () => true,
  });

/** The body of an answer as JSON. */
export const bodyOf = ({ body }: ProtocolAnswer): unknown => JSON.parse(String(body));

/** A table of operation, request and message, with the beginning of the request for a title. */
export const rows = (table: [operation: string, request: object, message?: string][]) =>
  table.map(
    ([operation, request, message = '']) =>
      [operation, JSON.stringify(request).slice(0, 80), request, message] as const,
  );

export function expectError(answer: ProtocolAnswer, type: string, message: string): void {
  expect({ status: answer.status, ...(bodyOf(answer) as object) }).toEqual({
    status: 400,
    __type: type,
    message,
  });
}

export interface AuditCapture {
  readonly audit: Audit;
  readonly entries: AuditEntry[];
}

/** An audit record that can be read. It fails where it is told to: before a request, or after it. */
export function captureAudit(
  failures: { readonly reserve?: Error; readonly record?: Error } = {},
): AuditCapture {
  const entries: AuditEntry[] = [];
  const record = async (entry: AuditEntry) => {
    if (failures.record) throw failures.record;
    entries.push(entry);
  };
  const reserve = async () => {
    if (failures.reserve) throw failures.reserve;
    return { record, release: () => undefined };
  };
  return {
    entries,
    audit: { chain: 'a-chain', reserve, check: async () => undefined, close: async () => undefined },
  };
}

export interface LogCapture {
  readonly logger: Logger;
  readonly text: () => string;
  readonly lines: () => Record<string, unknown>[];
}

/** A logger whose lines can be read. */
export function captureLog(): LogCapture {
  let text = '';
  const stream = new Writable({
    write(chunk, _encoding, done) {
      text += chunk;
      done();
    },
  });
  return {
    logger: createLogger('debug', stream),
    text: () => text,
    lines: () =>
      text
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line) as Record<string, unknown>),
  };
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** One HTTP request to this machine. */
export function send(port: number, options: RequestOptions, body?: string | Buffer): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ host: '127.0.0.1', port, agent: false, ...options }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }),
      );
      response.on('error', reject);
    });
    request.on('error', reject);
    request.end(body);
  });
}

/** A TrentService request over HTTP. */
export const sendTrent = (port: number, operation: string, request: unknown, options: RequestOptions = {}) =>
  send(
    port,
    {
      method: 'POST',
      path: '/',
      ...options,
      headers: { ...HEADERS, 'x-amz-target': `TrentService.${operation}`, ...options.headers },
    },
    Buffer.isBuffer(request) ? request : JSON.stringify(request),
  );
