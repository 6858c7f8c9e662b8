import { isNativeError } from 'node:util/types';
import fc from 'fast-check';
import {
  decodeMessage,
  encodeMessage,
  type Message,
  type MessageName,
} from '../../../../src/api/alibaba/messages';
import { decode, encode, MESSAGE_NAMES, messageType } from '../../../support/alibaba-messages';

/** For each of 23 messages. */
const FEW = { numRuns: 30 };

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
      FEW,
    );
  });

  it('is read as a client wrote it, and by a client as the service wrote it', () => {
    fc.assert(
      fc.property(fieldsOf(name), (fields) => {
        expect(decodeMessage(name, encode(name, fields))).toEqual(fields);
        expect(decode(name, encodeMessage(name, fields))).toEqual(fields);
      }),
      FEW,
    );
  });

  it('is read past fields that are unknown, before it and behind it', () => {
    fc.assert(
      fc.property(UNKNOWN, fieldsOf(name), UNKNOWN, (before, fields, after) => {
        const bytes = Buffer.concat([before, encode(name, fields), after]);
        expect(decodeMessage(name, bytes)).toEqual(fields);
      }),
      FEW,
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
      FEW,
    );
  });
});

it.each([
  ['a number as bytes', 'GenerateRandomRequest', '0a0410011001'],
  ['a number as a group', 'GenerateRandomRequest', '0b08010c'],
  ['a number in 32 bits', 'GenerateRandomRequest', '0d10000000'],
  ['a number in 64 bits', 'GenerateRandomRequest', '091000000000000000'],
  ['text as a number', 'EncryptRequest', '0803616263'],
  ['bytes as a number', 'EncryptRequest', '1003616263'],
  ['text that is no UTF-8', 'EncryptRequest', '0a02c328'],
  ['text with half a surrogate pair', 'EncryptRequest', '0a03eda080'],
  ['a field that has no end', 'EncryptRequest', '0a05616263'],
  ['a length without end', 'EncryptRequest', '0affffffffff'],
  ['a number without end', 'GenerateRandomRequest', '08ffffffffffffffffffff01'],
  ['half a tag', 'EncryptRequest', '80'],
  ['field 0', 'EncryptRequest', '0001'],
  ['a wire type that there is not', 'EncryptRequest', '0e01'],
  ['the end of no group', 'EncryptRequest', '9c01'],
  ['a group without its end', 'EncryptRequest', '9b01'],
] as const)('%s is refused', (_what, name, hex) => {
  expect(() => decodeMessage(name, Buffer.from(hex, 'hex'))).toThrow();
});

it('fields are read up to a hundred of them: more take the time of everybody else', () => {
  const fields = (count: number) => Buffer.from('980101'.repeat(count), 'hex');
  expect(decodeMessage('GenerateRandomRequest', fields(100))).toEqual({ Length: 0 });
  for (const count of [101, 1_000_000]) {
    expect(() => decodeMessage('GenerateRandomRequest', fields(count))).toThrow('more than 100 fields');
  }
});

it('a field that comes twice is the last one', () => {
  expect(decodeMessage('GenerateRandomRequest', Buffer.from('08010802', 'hex'))).toEqual({ Length: 2 });
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

it('groups are refused: proto3 has none, and one may hold any number of fields', () => {
  const [start, end, fields] = ['a306', 'a406', '7801'.repeat(10)];
  for (const group of [start + end, start + fields + end, start]) {
    expect(() => decodeMessage('GenerateRandomRequest', Buffer.from(group, 'hex'))).toThrow('is a group');
  }
});
