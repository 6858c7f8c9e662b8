import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { atEnd } from './at-end';

/** X.509 certificates (RFC 5280) with P-256 keys, made here so that the tests need no program for it. */
export interface Certificate {
  /** PEM. */
  readonly cert: string;
  /** PKCS#8, PEM. */
  readonly key: string;
  readonly privateKey: KeyObject;
  /** The subject in DER. */
  readonly name: Buffer;
}

export interface CertificateRequest {
  /** Common name. */
  readonly cn: string;
  /** Organisation, before the common name. */
  readonly o?: string;
  /** Itself where there is none: a root. */
  readonly issuer?: Certificate;
  readonly ca?: boolean;
  /** Days from now; negative ones have passed. */
  readonly fromDays?: number;
  readonly toDays?: number;
  readonly use?: 'server' | 'client';
}

const DAY_MS = 86_400_000;

/** A certificate for `localhost`, 127.0.0.1 and ::1, whatever its name. */
export function makeCertificate(request: CertificateRequest): Certificate {
  const { cn, o, issuer, ca = false, fromDays = -1, toDays = 90, use } = request;
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const name = sequence(...(o === undefined ? [] : [attribute(ORGANISATION, o)]), attribute(COMMON_NAME, cn));
  const extensions = [
    extension(BASIC_CONSTRAINTS, sequence(...(ca ? [der(0x01, Buffer.from([0xff]))] : [])), true),
    extension(ALTERNATIVE_NAMES, sequence(...LOCAL_NAMES)),
    ...(use ? [extension(EXTENDED_USE, sequence(USES[use]))] : []),
  ];
  const signed = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, Buffer.concat([Buffer.from([0x40]), randomBytes(8)])),
    ECDSA_SHA256,
    issuer?.name ?? name,
    sequence(time(fromDays), time(toDays)),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, sequence(...extensions)),
  );
  const signature = sign('sha256', signed, issuer?.privateKey ?? privateKey);
  return {
    cert: pem('CERTIFICATE', sequence(signed, ECDSA_SHA256, bits(signature))),
    key: String(privateKey.export({ type: 'pkcs8', format: 'pem' })),
    privateKey,
    name,
  };
}

/** Where the files of a certificate are, as the settings name them. */
export interface CertificateFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

/** A directory for certificates, removed at the end of the test file. */
export function certificateDirectory() {
  const directory = mkdtempSync(join(tmpdir(), 'p11kms-tls-'));
  atEnd(() => rmSync(directory, { recursive: true, force: true }));
  const write = (name: string, content: string, mode = 0o600): string => {
    const path = join(directory, name);
    writeFileSync(path, content);
    chmodSync(path, mode);
    return path;
  };
  return {
    write,
    /** Writes both files, over those that were there under this name. */
    put: (name: string, { cert, key }: Certificate): CertificateFiles => ({
      certFile: write(`${name}.crt`, cert),
      keyFile: write(`${name}.key`, key),
    }),
  };
}

function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}

const sequence = (...parts: readonly Buffer[]): Buffer => der(0x30, ...parts);
const bits = (bytes: Buffer): Buffer => der(0x03, Buffer.from([0]), bytes);
const oid = (hex: string): Buffer => der(0x06, Buffer.from(hex, 'hex'));
const attribute = (type: Buffer, value: string): Buffer =>
  der(0x31, sequence(type, der(0x0c, Buffer.from(value, 'utf8'))));
const extension = (type: Buffer, value: Buffer, critical = false): Buffer =>
  sequence(type, ...(critical ? [der(0x01, Buffer.from([0xff]))] : []), der(0x04, value));
const pem = (label: string, bytes: Buffer): string =>
  `-----BEGIN ${label}-----\n${bytes.toString('base64').replace(/.{1,64}/g, '$&\n')}-----END ${label}-----\n`;

/** UTCTime: to the second, of this half of the century. */
function time(days: number): Buffer {
  const iso = new Date(Date.now() + days * DAY_MS).toISOString();
  return der(0x17, Buffer.from(`${iso.slice(2, 19).replace(/[-:T]/g, '')}Z`));
}

const ECDSA_SHA256 = sequence(oid('2a8648ce3d040302'));
const COMMON_NAME = oid('550403');
const ORGANISATION = oid('55040a');
const BASIC_CONSTRAINTS = oid('551d13');
const ALTERNATIVE_NAMES = oid('551d11');
const EXTENDED_USE = oid('551d25');
const USES = { server: oid('2b06010505070301'), client: oid('2b06010505070302') } as const;
const LOCAL_NAMES = [
  der(0x82, Buffer.from('localhost')),
  der(0x87, Buffer.from([127, 0, 0, 1])),
  der(0x87, Buffer.from([...Array(15).fill(0), 1])),
];
