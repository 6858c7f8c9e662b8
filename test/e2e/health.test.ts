import { CreateKeyCommand, DescribeKeyCommand, EncryptCommand, type KMSClient } from '@aws-sdk/client-kms';
import { exceptionOf, get, kmsClient, refusalOf } from '../support/kms-client';
import { metric, workersReady } from '../support/metrics';
import { type Server, startServer } from '../support/server';
import { createShimSite } from '../support/site';

const SERIES = [
  'p11kms_requests_total',
  'p11kms_request_duration_seconds',
  'p11kms_token_jobs_total',
  'p11kms_token_job_duration_seconds',
  'p11kms_token_workers_killed_total',
  'p11kms_token_workers_replaced_total',
  'p11kms_token_worker_start_failures_total',
  'p11kms_token_lane_depth',
  'p11kms_token_lane_busy',
  'p11kms_token_workers_alive',
  'process_resident_memory_bytes',
  'nodejs_eventloop_lag_p99_seconds',
];

let site: Awaited<ReturnType<typeof createShimSite>>;
let server: Server;
let client: KMSClient;
let keyId: string;

beforeAll(async () => {
  site = await createShimSite();
  server = await startServer(site, { P11KMS_TOKEN_TIMEOUT_MS: '500' });
  client = kmsClient(server);
  keyId = String((await client.send(new CreateKeyCommand({}))).KeyMetadata?.KeyId);
});

const encrypt = () => client.send(new EncryptCommand({ KeyId: keyId, Plaintext: Buffer.from('x') }));

it('/healthz says that the process lives', async () => {
  const { status, contentType, requestId, json } = await get(server, '/healthz');
  expect({ status, contentType, body: json() }).toEqual({
    status: 200,
    contentType: 'application/json',
    body: { status: 'ok' },
  });
  expect(requestId).toMatch(/^[0-9a-f-]{36}$/);
});

it('/readyz says that token and store answer, and that requests can be recorded', async () => {
  site.shim.clearLog();
  const { status, json } = await get(server, '/readyz');
  expect({ status, body: json() }).toEqual({
    status: 200,
    body: { status: 'ok', parts: { token: 'ok', store: 'ok', audit: 'ok' } },
  });
  expect(site.shim.count('C_Decrypt')).toBeGreaterThan(0);
});

describe('/metrics', () => {
  it.each(SERIES)('has %s, with a line of help', async (name) => {
    const { status, contentType, text } = await get(server, '/metrics');
    expect({ status, contentType }).toEqual({
      status: 200,
      contentType: expect.stringMatching(/^text\/plain/),
    });
    expect(text).toMatch(new RegExp(`^# HELP ${name} .+$`, 'm'));
    expect(text).toMatch(new RegExp(`^# TYPE ${name} (counter|gauge|histogram)$`, 'm'));
  });

  it('counts requests by operation and outcome', async () => {
    const counted = (outcome: string) =>
      metric(server, 'p11kms_requests_total', { operation: 'DescribeKey', outcome });
    await client.send(new DescribeKeyCommand({ KeyId: keyId }));
    const before = await Promise.all([counted('ok'), counted('NotFoundException')]);
    await client.send(new DescribeKeyCommand({ KeyId: keyId }));
    expect(await exceptionOf(client.send(new DescribeKeyCommand({ KeyId: 'alias/nobody' })))).toBe(
      'NotFoundException',
    );
    const after = await Promise.all([counted('ok'), counted('NotFoundException')]);
    expect(after).toEqual([(before[0] ?? 0) + 1, (before[1] ?? 0) + 1]);
  });

  it('counts jobs by name, lane and outcome', async () => {
    const counted = () =>
      metric(server, 'p11kms_token_jobs_total', { job: 'encrypt', lane: 'token', outcome: 'ok' });
    const before = (await counted()) ?? 0;
    await encrypt();
    expect(await counted()).toBe(before + 1);
  });

  it('counts the workers that live, are killed and replaced', async () => {
    expect(await metric(server, 'p11kms_token_workers_alive', { lane: 'token' })).toBe(2);
    expect(await metric(server, 'p11kms_token_workers_alive', { lane: 'key-pairs' })).toBe(2);
    expect(await metric(server, 'p11kms_token_lane_depth')).toBe(0);
    site.shim.set('C_Encrypt hang times=1');
    expect(await refusalOf(encrypt())).toMatchObject({ name: 'DependencyTimeoutException', status: 500 });
    site.shim.clear();
    expect(await metric(server, 'p11kms_token_workers_killed_total', { lane: 'token' })).toBe(1);
    await workersReady(server);
    const replaced = { lane: 'token', reason: 'killed' };
    expect(await metric(server, 'p11kms_token_workers_replaced_total', replaced)).toBe(1);
    expect(
      await metric(server, 'p11kms_token_jobs_total', { job: 'encrypt', outcome: 'TOKEN_TIMEOUT' }),
    ).toBe(1);
  });
});
