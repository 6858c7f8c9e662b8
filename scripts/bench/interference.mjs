import { setTimeout as sleep } from 'node:timers/promises';
import { startLoad } from './load.mjs';
import { backgroundRequest, operationNamed } from './operations.mjs';
import { percentile } from './statistics.mjs';

const DECRYPT_CONNECTIONS = 8;
const BACKGROUND_CONNECTIONS = 4;
const LEAD_MS = 500;
const BACKGROUNDS = { rsa4096: 'RSA_4096', p256: 'ECC_NIST_P256' };

/** One round: Decrypt beside each kind of key pair, in turns which of them is first. */
export async function measureInterference(bench, round) {
  const kinds = Object.entries(BACKGROUNDS);
  if (round % 2 === 1) kinds.reverse();
  const result = { round };
  for (const [kind, spec] of kinds) result[kind] = await decryptBeside(bench, spec);
  return result;
}

async function decryptBeside({ options, service, subject }, spec) {
  await service.idle();
  const start = async ({ target, request }, connections) =>
    startLoad(await service.request(target, request(subject)), connections);
  const background = await start(backgroundRequest(spec), BACKGROUND_CONNECTIONS);
  const decrypt = await start(operationNamed('decrypt'), DECRYPT_CONNECTIONS);
  await sleep(LEAD_MS);
  const ms = options.seconds.interference * 1000;
  const [decrypted, pairs] = await Promise.all([decrypt.record(ms), background.record(ms)]);
  await Promise.all([decrypt.stop(), background.stop()]);
  return {
    p50: percentile(decrypted.latencies, 0.5),
    p99: percentile(decrypted.latencies, 0.99),
    perSecond: decrypted.perSecond,
    pairsPerSecond: pairs.perSecond,
    errors: { ...Object.fromEntries(decrypt.errors), ...Object.fromEntries(background.errors) },
  };
}
