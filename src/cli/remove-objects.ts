/** `p11kms doctor --remove`: destroys objects that no row knows, and records it. */
import { KmsError } from '../errors';
import type { TokenObject } from '../hsm/jobs';
import type { WorkerProcess } from '../hsm/worker-process';
import type { Store } from '../store/store';
import { type RunJob, signatureOf } from '../store-audit';
import { type Details, type RecordPlace, recorded } from './recorded';

const JOB_DEADLINE_MS = 30_000;
/** So many ids fit into a record, and their labels beside them. */
const OBJECTS_PER_RECORD = 8;
const ID_CHARACTERS = 64;
/** As JSON. */
const LABELS_BYTES = 500;

/**
 * Only what is named, and only what no row knows: on the token nothing can be brought back. What is refused is
 * recorded, too. More than a few objects are removed, and recorded, a few at a time.
 *
 * @param unknown what may be removed
 * @throws KmsError NOT_FOUND where one of the ids is not among them: then nothing was removed
 * @throws StartError, KmsError AUDIT_UNAVAILABLE where it cannot be recorded
 */
export async function removeObjects(
  { config, store }: Pick<RecordPlace, 'config'> & { readonly store: Store },
  worker: WorkerProcess,
  unknown: readonly TokenObject[],
  ids: readonly string[],
): Promise<void> {
  if (ids.length === 0) return;
  const run: RunJob = async (name, input) => (await worker.run(name, input, JOB_DEADLINE_MS)).output;
  const serial = worker.report?.token.serial ?? '';
  const place = { config, store, signature: await signatureOf(store, { serial, run }) };
  const objects = ids.map((id) => unknown.find((object) => object.id === id) ?? { id, label: '' });
  const stranger = objects.find((object) => !unknown.includes(object));
  if (stranger) {
    await recorded(place, removalOf([stranger]), () => Promise.reject(refusal(stranger.id)));
  }
  for (let first = 0; first < objects.length; first += OBJECTS_PER_RECORD) {
    const some = objects.slice(first, first + OBJECTS_PER_RECORD);
    const destroy = () => run('destroyObjects', { ids: some.map(({ id }) => id) });
    await recorded(place, removalOf(some), destroy);
  }
}

const removalOf = (objects: readonly TokenObject[]) => ({
  operation: 'RemoveTokenObjects',
  details: detailsOf(objects),
});

function detailsOf(objects: readonly TokenObject[]): Details {
  const ids = objects.map(({ id }) => id.slice(0, ID_CHARACTERS)).join(' ');
  const labels = fitting(objects.map(({ label }) => label)).join(' ');
  return { ids, ...(labels !== '' && { labels }) };
}

/** The first of them: a label is as long as whoever made the object liked. */
function fitting(labels: readonly string[]): readonly string[] {
  const bytes = Buffer.byteLength(JSON.stringify(labels));
  return bytes <= LABELS_BYTES ? labels : fitting(labels.slice(0, -1));
}

function refusal(id: string): KmsError {
  const message = `${id} is not among the objects of this store that no row knows: nothing was removed`;
  return new KmsError('NOT_FOUND', message);
}
