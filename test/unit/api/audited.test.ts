import { type AuditedProtocol, audited } from '../../../src/api/audited';
import type { Protocol, RequestRecord } from '../../../src/api/protocol';
import { ProtocolError } from '../../../src/api/trent/errors';
import { trent } from '../../../src/api/trent/handler';
import { KmsError } from '../../../src/errors';
import * as keys from '../../../src/kms/keys';
import {
  ADMISSION,
  ask,
  bodyOf,
  captureAudit,
  HEADERS,
  KEY,
  KEY_ARN,
  KEY_ID,
  KMS,
  REQUEST_ID,
  ROOT_ARN,
} from './support';

jest.mock('../../../src/kms/keys');

const TARGET = { ...HEADERS, 'x-amz-target': 'TrentService.DescribeKey' };
const BODY = Buffer.from('{"KeyId":"k"}');
const FULL = new KmsError('AUDIT_UNAVAILABLE', 'The audit record cannot be written.');

const describing = jest.mocked(keys.describeKey);

beforeEach(() => {
  jest.resetAllMocks();
  describing.mockImplementation(async (_kms, call) => {
    call.keyId = KEY_ID;
    return KEY;
  });
});

describe('the record of a request', () => {
  const recorded = async (answer: () => Promise<unknown> = () => ask(protocol, BODY, TARGET)) => {
    await answer();
    expect(capture.entries).toHaveLength(1);
    return capture.entries[0];
  };
  let capture: ReturnType<typeof captureAudit>;
  let protocol: AuditedProtocol;

  beforeEach(() => {
    capture = captureAudit();
    protocol = audited(trent(KMS, ADMISSION), capture.audit, KMS);
  });

  const COMMON = {
    time: expect.any(Date),
    requestId: REQUEST_ID,
    protocol: 'trent',
    operation: 'DescribeKey',
    principal: ROOT_ARN,
    source: '127.0.0.1',
    tokenSerial: 'a-serial',
  };

  it('says who asked for what, with which key, and that it was done', async () => {
    expect(await recorded()).toEqual({ ...COMMON, outcome: 'ok', key: KEY_ARN });
  });

  it('has the encryption context, and why policies refused', async () => {
    const encryptionContext = new Map([['tenant', 'acme']]);
    describing.mockImplementation(async (_kms, call) => {
      Object.assign(call, { keyId: KEY_ID, encryptionContext, denied: 'no-identity-allow' });
      throw new KmsError('ACCESS_DENIED', 'words');
    });
    expect(await recorded()).toEqual({
      ...COMMON,
      outcome: 'refused',
      error: 'AccessDeniedException',
      key: KEY_ARN,
      encryptionContext,
      denied: 'no-identity-allow',
    });
  });

  it('has what ReEncrypt opened, how a private key is wrapped, and what else there is to know', async () => {
    const [opened, made] = [new Map([['from', 'a']]), new Map([['to', 'b']])];
    describing.mockImplementation(async (_kms, call) => {
      Object.assign(call, {
        keyId: KEY_ID,
        encryptionContext: made,
        wrapping: 'gcm',
        details: { alias: 'a' },
      });
      call.from = { keyId: 'another', encryptionContext: opened };
      return KEY;
    });
    expect(await recorded()).toEqual({
      ...COMMON,
      outcome: 'ok',
      key: KEY_ARN,
      encryptionContext: made,
      sourceKey: KEY_ARN.replace(KEY_ID, 'another'),
      sourceEncryptionContext: opened,
      wrapping: 'gcm',
      details: { alias: 'a' },
    });
  });

  it('is made of a request that never came to its end', async () => {
    const { principal: _unknown, ...common } = COMMON;
    const lost = { id: REQUEST_ID, headers: TARGET, source: { address: '127.0.0.1', secure: false } };
    expect(await recorded(() => protocol.lost(lost))).toEqual({
      ...common,
      outcome: 'failed',
      error: 'aborted',
    });
  });

  it('has no key where none was found, and no empty context', async () => {
    describing.mockImplementation(async (_kms, call) => {
      call.encryptionContext = new Map();
      throw new KmsError('NOT_FOUND', 'words');
    });
    expect(await recorded()).toEqual({ ...COMMON, outcome: 'refused', error: 'NotFoundException' });
  });

  it('tells what failed from what was refused', async () => {
    describing.mockRejectedValue(new Error('unforeseen'));
    expect(await recorded()).toEqual({ ...COMMON, outcome: 'failed', error: 'KMSInternalException' });
  });

  it('is made of what no operation gets to see, too', async () => {
    const { principal: _nobody, ...common } = COMMON;
    const signed = audited(trent(KMS, { ...ADMISSION, auth: 'signature' }), capture.audit, KMS);
    const headers = { ...HEADERS, 'x-amz-target': 'Nonsense' };
    expect(await recorded(() => ask(signed, BODY, headers))).toEqual({
      ...common,
      operation: 'unknown',
      outcome: 'refused',
      error: 'MissingAuthenticationTokenException',
    });
    expect(describing).not.toHaveBeenCalled();
  });
});

describe('where no record can be made', () => {
  it('nothing is done', async () => {
    const { audit } = captureAudit({ reserve: FULL });
    const answer = await ask(audited(trent(KMS, ADMISSION), audit, KMS), BODY, TARGET);
    expect(answer).toMatchObject({ status: 500, record: { operation: 'DescribeKey', error: FULL } });
    expect(bodyOf(answer)).toEqual({ __type: 'KMSInternalException', message: FULL.message });
    expect(describing).not.toHaveBeenCalled();
  });

  it('what was done is not answered', async () => {
    const { audit } = captureAudit({ record: FULL });
    const answer = await ask(audited(trent(KMS, ADMISSION), audit, KMS), BODY, TARGET);
    expect(bodyOf(answer)).toEqual({ __type: 'KMSInternalException', message: FULL.message });
    expect(describing).toHaveBeenCalled();
  });
});

it('room is made before a request, and its record is on disk before the answer', async () => {
  const steps: string[] = [];
  const step = async (name: string) => {
    await new Promise(setImmediate);
    steps.push(name);
  };
  const record: RequestRecord = { operation: 'DescribeKey', outcome: 'ok', tokenMs: 0 };
  const protocol: Protocol = {
    name: 'trent',
    bodyLimit: () => 1_000,
    operationOf: () => 'DescribeKey',
    answer: async () => {
      await step('answered');
      return { status: 200, contentType: '', body: '', record };
    },
    refuse: () => {
      throw new ProtocolError('Refused', 500, 'nothing is to be refused here');
    },
  };
  const { audit } = captureAudit();
  const reserve = async () => {
    await step('reserved');
    return { record: () => step('recorded'), release: () => undefined };
  };
  await ask(audited(protocol, { ...audit, reserve }, KMS), BODY, TARGET);
  expect(steps).toEqual(['reserved', 'answered', 'recorded']);
});
