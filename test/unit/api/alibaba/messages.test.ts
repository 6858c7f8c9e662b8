import { isNativeError } from 'node:util/types';
import * as fc from 'fast-check';
import {
  decodeMessage,
  encodeMessage,
  type Message,
  type MessageName,
} from '../../../../src/api/alibaba/messages';
import { decode, encode, MESSAGE_NAMES, messageType } from '../../../support/alibaba-messages';

// The service's messages against another description of them, read by another library.

/** Described, because clients know them; the service has no use for them. */
const NOT_SERVED = /^(?:Sign|Verify|GetPublicKey)Re/;
const NAMES = MESSAGE_NAMES.filter((name) => !NOT_SERVED.test(name)) as MessageName[];

const VALUES = new Map<string, fc.Arbitrary<unknown>>([
  ['string', fc.string({ unit: 'binary' })],
  ['bytes', fc.uint8Array().map((bytes) => Buffer.from(bytes))],
  ['int32', fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })],
]);

/** Any values of all of a message's fields. */
function fieldsOf(name: MessageName): fc.Arbitrary<Message<MessageName>> {
  const fields = messageType(name).fieldsArray.map(({ name: field, type }) => {
    const values = VALUES.get(type);
    if (!values) throw new Error(`no values of type ${type}`);
    return [field, values] as const;
  });
  return fc.record(Object.fromEntries(fields)) as fc.Arbitrary<Message<MessageName>>;
}

/** Proto3 writes no field that is empty or 0. */
const withoutDefaults = (fields: object): object =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== 0 && value.length !== 0));

/** Fields that no message has: a varint, a fixed64, bytes and a fixed32. */
const UNKNOWN = fc
  .array(
    fc.oneof(
      fc.constant('98017f'),
      fc.constant('99010102030405060708'),
      fc.constant('9a0103616263'),
      fc.constant('9d0101020304'),
    ),
  )
  .map((fields) => Buffer.from(fields.join(''), 'hex'));

it('are all that a client knows, and no others', () => {
  expect(NAMES).toHaveLength(23);
});

describe.each(NAMES)('%s', (name) => {
  it('is written byte for byte as a client writes it', () => {
    fc.assert(
      fc.property(fieldsOf(name), (fields) => {
        expect(encodeMessage(name, fields)).toEqual(encode(name, withoutDefaults(fields)));
      }),
    );
  });

  it('is read as a client wrote it, and by a client as the service wrote it', () => {
    fc.assert(
      fc.property(fieldsOf(name), (fields) => {
        expect(decodeMessage(name, encode(name, fields))).toEqual(fields);
        expect(decode(name, encodeMessage(name, fields))).toEqual(fields);
      }),
    );
  });

  it('is read past fields that are unknown, before it and behind it', () => {
    fc.assert(
      fc.property(UNKNOWN, fieldsOf(name), UNKNOWN, (before, fields, after) => {
        const bytes = Buffer.concat([before, encode(name, fields), after]);
        expect(decodeMessage(name, bytes)).toEqual(fields);
      }),
    );
  });

  it('is read, or an error is thrown, whatever comes', () => {
    const whole = Object.keys(decodeMessage(name, Buffer.alloc(0))).sort();
    fc.assert(
      fc.property(fieldsOf(name), fc.nat(), fc.uint8Array({ maxLength: 64 }), (fields, at, noise) => {
        const bytes = encode(name, fields);
        Buffer.from(noise).copy(bytes, at % (bytes.length + 1));
        for (const some of [bytes, bytes.subarray(0, at % (bytes.length + 1)), Buffer.from(noise)]) {
          expect(membersOf(name, some) ?? whole).toEqual(whole);
        }
      }),
    );
  });
});

/** The members of what was read; undefined where it was refused. */
function membersOf(name: MessageName, bytes: Buffer): string[] | undefined {
  try {
    return Object.keys(decodeMessage(name, bytes)).sort();
  } catch (error) {
    if (isNativeError(error)) return undefined;
    throw error;
  }
}
