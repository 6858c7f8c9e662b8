import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import { StartError } from '../errors';
import { FileFault, readSmallFile } from './files';

/** Far more than any chain has; a bundle of all public authorities is a quarter of it. */
const MAX_PEM_BYTES = 1 << 20;
const DAY_MS = 86_400_000;
/** A certificate that ends sooner than this is worth a warning. */
const SOON_MS = 30 * DAY_MS;

/** Absolute paths. */
export interface TlsFiles {
  readonly certFile: string;
  readonly keyFile: string;
  readonly clientCaFile?: string;
}

/** What a TLS listener needs, in PEM and checked, and what the log tells of it. */
export interface TlsMaterial {
  readonly cert: Buffer;
  readonly key: Buffer;
  /** The authorities of client certificates; none is asked for without. */
  readonly clientCa?: Buffer;
  readonly about: {
    /** As in a line of text: `CN=kms.example, O=Example`. */
    readonly subject: string;
    /** ISO 8601. */
    readonly notAfter: string;
    /** SHA-256, in hex with colons. */
    readonly fingerprint: string;
  };
  /** A line for the operator where the certificate ends soon. */
  readonly warning?: string;
}

export type TlsSetting = 'P11KMS_TLS_CERT_FILE' | 'P11KMS_TLS_KEY_FILE' | 'P11KMS_TLS_CLIENT_CA_FILE';

/** A file that cannot be used, by the setting that names it. The message follows "names a file that". */
export class TlsFault extends Error {
  override readonly name = 'TlsFault';

  constructor(
    readonly setting: TlsSetting,
    message: string,
  ) {
    super(message);
  }
}

/**
 * Reads and checks the files anew. Throws StartError, with a line that names the setting, where certificate and key
 * do not belong together, the certificate is not valid now, or a file cannot be used.
 */
export function readTls(files: TlsFiles, now = Date.now()): TlsMaterial {
  try {
    return checkTls(files, now);
  } catch (error) {
    if (error instanceof TlsFault)
      throw new StartError(`${error.setting} names a file that ${error.message}`);
    throw error;
  }
}

/** As `readTls`, but throws TlsFault. */
export function checkTls({ certFile, keyFile, clientCaFile }: TlsFiles, now = Date.now()): TlsMaterial {
  const cert = readPem('P11KMS_TLS_CERT_FILE', certFile);
  const leaf = certificateOf('P11KMS_TLS_CERT_FILE', cert);
  assertValid(leaf, now);
  const key = readPem('P11KMS_TLS_KEY_FILE', keyFile, true);
  if (!leaf.checkPrivateKey(privateKeyOf(key))) {
    throw new TlsFault('P11KMS_TLS_KEY_FILE', 'holds another key than that of P11KMS_TLS_CERT_FILE');
  }
  const clientCa =
    clientCaFile === undefined ? undefined : readPem('P11KMS_TLS_CLIENT_CA_FILE', clientCaFile);
  if (clientCa) certificateOf('P11KMS_TLS_CLIENT_CA_FILE', clientCa);
  assertUsable({ cert, key, ...(clientCa && { clientCa }) });
  const warning = warningOf(leaf, now);
  return { cert, key, ...(clientCa && { clientCa }), about: about(leaf), ...(warning && { warning }) };
}

function readPem(setting: TlsSetting, path: string, mustBePrivate = false): Buffer {
  try {
    const { bytes, exposed } = readSmallFile(path, MAX_PEM_BYTES);
    if (!exposed || !mustBePrivate) return bytes;
    bytes.fill(0);
    throw new FileFault("is readable by the file's group or by others: chmod 600 the file");
  } catch (error) {
    if (error instanceof FileFault) throw new TlsFault(setting, error.message);
    throw error;
  }
}

/** The first certificate in a file. */
function certificateOf(setting: TlsSetting, pem: Buffer): X509Certificate {
  try {
    // DER would do for X509Certificate, and not for the listener.
    if (pem.includes('-----BEGIN ')) return new X509Certificate(pem);
  } catch {
    // Said below.
  }
  throw new TlsFault(setting, 'holds no certificate in PEM');
}

function privateKeyOf(pem: Buffer): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch {
    throw new TlsFault(
      'P11KMS_TLS_KEY_FILE',
      // PKCS#8 and OpenSSL's older form both say so in their first two lines.
      pem.includes('ENCRYPTED') ? 'holds a key that is encrypted: decrypt it' : 'holds no private key in PEM',
    );
  }
}

function assertValid({ validFrom, validTo }: X509Certificate, now: number): void {
  const [from, to] = [Date.parse(validFrom), Date.parse(validTo)];
  if (now >= to) {
    throw new TlsFault('P11KMS_TLS_CERT_FILE', `holds a certificate that has expired, on ${iso(to)}`);
  }
  if (now < from) {
    throw new TlsFault('P11KMS_TLS_CERT_FILE', `holds a certificate that is not valid before ${iso(from)}`);
  }
}

/** What OpenSSL alone knows: whether it takes the key's size, the signature's hash and the rest of the chain. */
function assertUsable({ cert, key, clientCa }: Pick<TlsMaterial, 'cert' | 'key' | 'clientCa'>): void {
  const wrong = (setting: TlsSetting, error: unknown) =>
    new TlsFault(setting, `OpenSSL does not take (${reasonOf(error)})`);
  try {
    createSecureContext({ cert, key });
  } catch (error) {
    throw wrong('P11KMS_TLS_CERT_FILE', error);
  }
  try {
    if (clientCa) createSecureContext({ ca: clientCa });
  } catch (error) {
    throw wrong('P11KMS_TLS_CLIENT_CA_FILE', error);
  }
}

/** OpenSSL's word for it; its whole message is of no use to an operator. */
function reasonOf(error: unknown): string {
  return String((error as { readonly reason?: unknown } | undefined)?.reason ?? 'without a reason');
}

function warningOf({ validTo }: X509Certificate, now: number): string | undefined {
  const left = Date.parse(validTo) - now;
  if (left >= SOON_MS) return undefined;
  return `the certificate of P11KMS_TLS_CERT_FILE expires on ${iso(now + left)}: replace it, then send SIGHUP`;
}

function about({ subject, validTo, fingerprint256 }: X509Certificate): TlsMaterial['about'] {
  return {
    subject: subject.replaceAll('\n', ', '),
    notAfter: iso(Date.parse(validTo)),
    fingerprint: fingerprint256,
  };
}

const iso = (time: number): string => new Date(time).toISOString();
