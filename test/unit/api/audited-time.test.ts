import { audited } from '../../../src/api/audited';
import type { Protocol, ProtocolRequest } from '../../../src/api/protocol';
import type { Audit } from '../../../src/audit/audit';
import type { AuditEntry } from '../../../src/audit/entry';
import type { Kms } from '../../../src/kms/kms';

const report = { dialect: { wrapping: 'gcm' }, token: { serial: 'serial' } };
const kms = { arns: {}, token: { report } } as unknown as Kms;

it('a record has the time when the request came, not when it was answered', async () => {
  jest.useFakeTimers({ now: 1_000 });
  const entries: AuditEntry[] = [];
  const reservation = {
    record: async (entry: AuditEntry) => void entries.push(entry),
    release: () => undefined,
  };
  const nothing = async () => undefined;
  const audit: Audit = { chain: 'chain', reserve: async () => reservation, check: nothing, close: nothing };
  const answer = {
    status: 200,
    contentType: 'text/plain',
    body: '',
    record: { operation: 'Slow', outcome: 'ok', tokenMs: 0 },
  };
  const protocol: Protocol = {
    name: 'trent',
    bodyLimit: () => 1_000,
    operationOf: () => 'Slow',
    async answer() {
      jest.setSystemTime(9_000);
      return answer;
    },
    refuse: () => answer,
  };
  const request = { id: 'id', source: {}, body: Buffer.alloc(0) } as unknown as ProtocolRequest;
  await audited(protocol, audit, kms).answer(request);
  jest.useRealTimers();
  expect(entries).toEqual([expect.objectContaining({ operation: 'Slow', time: new Date(1_000) })]);
});
