import { startDirect } from './direct.mjs';
import { measureInterference } from './interference.mjs';
import { describeMachine, watchProcessors } from './machine.mjs';
import { CONTEXT, INTERFERENCE, OPERATIONS, PLAINTEXT_BYTES, SATURATED } from './operations.mjs';
import { Progress } from './progress.mjs';
import { reportText, summarize } from './report.mjs';
import { makeToken, startService } from './service.mjs';
import { measureOperation } from './throughput.mjs';

const WARM_UP_SECONDS = { fast: 1, rsa: 0.2 };

/**
 * The whole benchmark: token, service and direct loop up, the rounds, the table on stdout, all down again.
 * What has to be undone however this ends is pushed to `cleanUp`. Returns all figures.
 */
export async function runBench(options, directory, cleanUp) {
  const env = makeToken(directory);
  const service = await startService(directory, env, cleanUp);
  const ended = service.exited.then(() => {
    throw new Error(`the service ended:\n${service.logTail()}`);
  });
  ended.catch(() => undefined);
  const subject = await prepareSubject(service);
  const workers = await countWorkers(service);
  const direct = await startDirect(Math.max(...Object.values(workers)), env, subject.keyId, cleanUp);
  const foreignShare = watchProcessors(service.pid, direct.pids);
  const figures = await Promise.race([measure({ options, service, direct, subject, workers }), ended]);
  const result = {
    date: new Date().toISOString(),
    machine: describeMachine(),
    workers,
    rounds: options.rounds,
    foreignShare: foreignShare(),
    ...summarize(figures),
  };
  await service.stop();
  direct.kill();
  process.stdout.write(reportText(result));
  return result;
}

/** A key, and something that it has encrypted. */
async function prepareSubject({ call }) {
  const { KeyMetadata } = await call('CreateKey', { Description: 'benchmark' });
  const keyId = KeyMetadata.KeyId;
  const plaintext = Buffer.alloc(PLAINTEXT_BYTES, 1).toString('base64');
  const { CiphertextBlob } = await call('Encrypt', {
    KeyId: keyId,
    Plaintext: plaintext,
    EncryptionContext: CONTEXT,
  });
  return { keyId, plaintext, ciphertext: CiphertextBlob };
}

async function countWorkers({ metrics }) {
  const now = await metrics();
  const alive = (lane) => now.total('p11kms_token_workers_alive', `lane="${lane}"`);
  return { token: alive('token'), 'key-pairs': alive('key-pairs') };
}

/** Rounds of all parts, one part after the other, so that a machine that slows down does so for all of them. */
async function measure(bench) {
  const { options } = bench;
  const operations = OPERATIONS.filter(({ name }) => options.parts.includes(name));
  const withInterference = options.parts.includes(INTERFERENCE);
  const progress = new Progress(options.rounds, operations.length + (withInterference ? 1 : 0));
  await warmUp(bench, operations);
  const rows = [];
  const interference = [];
  for (let round = 0; round < options.rounds; round++) {
    for (const operation of operations) {
      progress.next(round, operation.title);
      rows.push(...(await measureOperation(bench, operation, round)));
    }
    if (!withInterference) continue;
    progress.next(round, 'Decrypt beside RSA-4096 and P-256 pairs');
    interference.push(await measureInterference(bench, round));
  }
  progress.done();
  return { rows, interference };
}

/** What a process does first is compiled while it does it. */
async function warmUp(bench, operations) {
  const options = { ...bench.options, seconds: WARM_UP_SECONDS };
  for (const operation of operations)
    await measureOperation({ ...bench, options }, operation, 0, [SATURATED]);
}
