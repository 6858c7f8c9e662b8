/**
 * Where the two halves of this room meet: the messages between the service and a token worker. A job is
 * the whole token part of one operation, so that it costs one message each way.
 *
 * Objects on the token are named by their CKA_ID, 16 bytes in hex. `aad` is AES-GCM's additional
 * authenticated data, `sealed` its ciphertext with the 16-byte tag behind it, `iv` its 12 bytes.
 */
import type { KmsErrorCode } from '../errors';
import type { KeyPairSpecName } from './key-pair-specs';
import type { Dialect, GcmIvSource, TokenReport, Wrapping } from './report';

/** The two roles that a symmetric key version's objects have. No object ever has both. */
export type ObjectRole = 'encrypt' | 'wrap';

export interface TokenObject {
  readonly id: string;
  readonly label: string;
}

export interface Jobs {
  generateKeyPair: {
    input: {
      readonly spec: KeyPairSpecName;
      readonly encryptObject: string;
      readonly wrapObject: string;
      /**
       * The additional authenticated data but for the public point, which nobody knows yet: the worker
       * puts the point behind its 2-byte length between the two.
       */
      readonly aadBeforePoint: Buffer;
      readonly aadAfterPoint: Buffer;
    };
    output: {
      /** X.509 SubjectPublicKeyInfo, DER. */
      readonly publicKey: Buffer;
      /** The uncompressed public point of an EC key; empty for RSA. */
      readonly point: Buffer;
      readonly iv: Buffer;
      readonly sealed: Buffer;
    };
  };
  exportPrivateKey: {
    input: {
      readonly spec: KeyPairSpecName;
      readonly wrapping: Wrapping;
      readonly encryptObject: string;
      readonly wrapObject: string;
      readonly point: Buffer;
      readonly aad: Buffer;
      readonly iv: Buffer;
      readonly sealed: Buffer;
    };
    /** PKCS#8, DER; an EC key has its public key in it. */
    output: { readonly privateKey: Buffer };
  };
  encrypt: {
    input: { readonly object: string; readonly aad: Buffer; readonly plaintext: Buffer };
    output: { readonly iv: Buffer; readonly sealed: Buffer };
  };
  decrypt: {
    input: { readonly object: string; readonly aad: Buffer; readonly iv: Buffer; readonly sealed: Buffer };
    output: { readonly plaintext: Buffer };
  };
  /** Decrypts and encrypts again: the plaintext stays in the worker. */
  reEncrypt: {
    input: {
      readonly source: JobInput<'decrypt'>;
      readonly destination: { readonly object: string; readonly aad: Buffer };
    };
    output: { readonly iv: Buffer; readonly sealed: Buffer };
  };
  /** Unwraps a private key and wraps it again: it stays on the token. */
  rewrapPrivateKey: {
    input: {
      readonly spec: KeyPairSpecName;
      readonly point: Buffer;
      readonly source: {
        readonly wrapping: Wrapping;
        readonly encryptObject: string;
        readonly wrapObject: string;
        readonly aad: Buffer;
        readonly iv: Buffer;
        readonly sealed: Buffer;
      };
      readonly destination: {
        readonly encryptObject: string;
        readonly wrapObject: string;
        readonly aad: Buffer;
      };
    };
    output: { readonly iv: Buffer; readonly sealed: Buffer };
  };
  generateDataKey: {
    input: {
      readonly object: string;
      readonly aad: Buffer;
      readonly bytes: number;
      readonly withPlaintext: boolean;
    };
    output: { readonly iv: Buffer; readonly sealed: Buffer; readonly plaintext?: Buffer };
  };
  generateRandom: { input: { readonly bytes: number }; output: { readonly random: Buffer } };
  createKeyObjects: {
    input: { readonly encrypt: TokenObject; readonly wrap: TokenObject };
    output: Record<string, never>;
  };
  /** An EC P-256 key pair that stays on the token and signs; one that is there already is not made again. */
  createSigningKey: {
    input: TokenObject;
    /** X.509 SubjectPublicKeyInfo, DER. */
    output: { readonly publicKey: Buffer };
  };
  /** ECDSA with a key pair of `createSigningKey`. */
  sign: {
    input: {
      readonly object: string;
      /** SHA-256, 32 bytes. */
      readonly digest: Buffer;
    };
    /** r and s, 32 bytes each. */
    output: { readonly signature: Buffer };
  };
  /** Destroys by CKA_ID and sees that they are gone; an object that is not there is not an error. */
  destroyObjects: { input: { readonly ids: readonly string[] }; output: Record<string, never> };
  /** Secret keys whose label begins so. */
  listObjects: {
    input: { readonly labelPrefix: string };
    output: { readonly objects: readonly TokenObject[] };
  };
  /** Sees that the token answers and still holds this store's service key. */
  ping: { input: Record<string, never>; output: Record<string, never> };
}

export type JobName = keyof Jobs;
export type JobInput<N extends JobName> = Jobs[N]['input'];
export type JobOutput<N extends JobName> = Jobs[N]['output'];

/** What a worker needs to begin. Sent as a message: environment and arguments can be read by others. */
export interface StartMessage {
  readonly type: 'start';
  readonly module: string;
  /** NSS's library parameters; absent for every other module. */
  readonly initArgs?: string;
  readonly tokenLabel: string;
  readonly pin: Buffer;
  /** This PIN has opened this token since the service started: a low PIN count is somebody else's doing. */
  readonly pinProven: boolean;
  readonly gcmIv: GcmIvSource;
  /** The store's own object on the token; absent where there is no store. */
  readonly serviceKey?: TokenObject & { readonly mayCreate: boolean };
  /** Absent for the first worker, which finds it out. */
  readonly dialect?: Dialect;
}

export interface JobMessage {
  readonly type: 'job';
  readonly name: JobName;
  readonly input: JobInput<JobName>;
}

export type ToWorker = StartMessage | JobMessage | { readonly type: 'stop' };

/** Why a worker could not begin. */
export type StartFailure =
  | 'pin-refused'
  | 'pin-locked'
  | 'module'
  | 'token-missing'
  | 'token-unsuitable'
  | 'service-key-missing'
  | 'token-error';

/** What the token said, for the operator's eyes only. */
export interface TokenFault {
  /** The PKCS#11 function that failed. */
  readonly call?: string;
  /** Its return value, CKR_…. */
  readonly ckr?: number;
  readonly message: string;
}

export type FromWorker =
  | { readonly type: 'online' }
  | { readonly type: 'ready'; readonly report?: TokenReport }
  | {
      readonly type: 'refused';
      readonly failure: StartFailure;
      readonly message: string;
      readonly fault?: TokenFault;
      readonly report?: TokenReport;
    }
  | { readonly type: 'done'; readonly output: JobOutput<JobName>; readonly ms: number }
  | {
      readonly type: 'failed';
      readonly code: KmsErrorCode;
      readonly message: string;
      readonly fault?: TokenFault;
      readonly ms: number;
    }
  /** The worker lost the token in the middle of the job and ends. */
  | { readonly type: 'lost'; readonly fault: TokenFault };
