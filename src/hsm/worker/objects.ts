/** Token objects by their CKA_ID, and the handles that this process has for them. */
import { ObjectClass } from 'graphene-pk11';
import { KmsError } from '../../errors';
import type { TokenObject } from '../jobs';
import { destroyObject, findObjects, type ObjectHandle, prepare, type Session } from './session';

export type Handles = Map<string, ObjectHandle>;

/** The kinds of objects that p11kms keeps on a token. */
export type ObjectKind = 'SECRET_KEY' | 'PRIVATE_KEY' | 'PUBLIC_KEY';

const secretKeys = { class: ObjectClass.SECRET_KEY, token: true } as const;

/** All objects of a kind on the token with this CKA_ID: none or one, unless something is very wrong. */
export function findById(session: Session, id: string, kind: ObjectKind = 'SECRET_KEY'): ObjectHandle[] {
  return findObjects(session, prepare({ class: ObjectClass[kind], token: true, id: Buffer.from(id, 'hex') }));
}

/**
 * The handle of a token object, from memory or by asking the token.
 *
 * @throws KmsError KEY_UNAVAILABLE unless exactly one object has this CKA_ID
 */
export function objectHandle(
  session: Session,
  handles: Handles,
  id: string,
  kind: ObjectKind = 'SECRET_KEY',
): ObjectHandle {
  const known = handles.get(id);
  if (known) return known;
  const found = findById(session, id, kind);
  const [handle] = found;
  if (!handle || found.length > 1) {
    throw new KmsError('KEY_UNAVAILABLE', 'The key material is not available.', {
      cause: `the token has ${found.length} objects with CKA_ID ${id}, where one was expected`,
    });
  }
  handles.set(id, handle);
  return handle;
}

/** Destroys every secret key with one of these CKA_IDs and sees that none is left. */
export function destroyById(session: Session, handles: Handles, ids: readonly string[]): void {
  for (const id of ids) {
    handles.delete(id);
    for (const object of findById(session, id)) destroyObject(session, object);
    if (findById(session, id).length > 0)
      throw new Error(`the token still has object ${id} after destroying it`);
  }
}

const CKA_LABEL = 0x3;
const CKA_ID = 0x102;

/** Secret keys on the token whose label begins with `labelPrefix`. */
export function listByLabel(session: Session, labelPrefix: string): TokenObject[] {
  return findObjects(session, prepare(secretKeys))
    .map((object) => {
      const [label, id] = session.lib.C_GetAttributeValue(session.handle, object, [
        { type: CKA_LABEL },
        { type: CKA_ID },
      ]);
      return {
        label: String(label?.value ?? ''),
        id: Buffer.from((id?.value as Buffer) ?? '').toString('hex'),
      };
    })
    .filter(({ label }) => label.startsWith(labelPrefix));
}
