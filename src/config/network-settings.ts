import { flag, type Setting, text } from './setting';

const perSecond = { type: 'integer', minimum: 1, maximum: 1_000_000 } as const;

/** The settings of the listeners: who may reach the service, how, and how often. */
export const NETWORK_SETTINGS = {
  P11KMS_HOST: {
    schema: text,
    default: '127.0.0.1',
    description:
      'The address to listen on. Any but a loopback address demands signatures, and TLS here or at a proxy.',
  },
  P11KMS_PORT: {
    schema: { type: 'integer', minimum: 0, maximum: 65_535 },
    default: 8080,
    description: 'The TCP port to listen on; 0 takes any free one.',
  },
  P11KMS_AUTH: {
    schema: { type: 'string', enum: ['signature', 'none'] },
    default: 'signature',
    description:
      "Whether requests must be signed (or come with a client certificate). With `none` everybody who reaches the service acts as the account's root: on a loopback address only, and not behind a proxy that does TLS.",
  },
  P11KMS_TLS_CERT_FILE: {
    schema: text,
    description:
      "The server's certificate in PEM, followed by those of the authorities between it and the root. With it the service speaks HTTPS. Read again at SIGHUP.",
  },
  P11KMS_TLS_KEY_FILE: {
    schema: text,
    description:
      "The certificate's private key in PEM, not encrypted, in a file that is readable by its owner only.",
  },
  P11KMS_TLS_CLIENT_CA_FILE: {
    schema: text,
    description:
      'Authorities in PEM whose client certificates are taken. With it clients are asked for a certificate, and need not have one.',
  },
  P11KMS_TLS_TERMINATED: {
    schema: flag,
    default: 'false',
    description:
      'Whether a proxy in front of the service does TLS: the service may then speak plain HTTP on any address, and takes every request for one that came over TLS.',
  },
  P11KMS_MAX_CONNECTIONS: {
    schema: { type: 'integer', minimum: 1, maximum: 65_535 },
    default: 1024,
    description: 'Connections at the same time; one more is closed at once.',
  },
  P11KMS_METRICS_PORT: {
    schema: { type: 'integer', minimum: 0, maximum: 65_535 },
    description:
      'A TCP port of its own for `/metrics`, `/healthz` and `/readyz`, over plain HTTP; 0 takes any free one. Without it `/metrics` is served on `P11KMS_PORT`, and only if `P11KMS_HOST` is a loopback address and no proxy does TLS.',
  },
  P11KMS_METRICS_HOST: {
    schema: text,
    default: '127.0.0.1',
    description: 'The address for `P11KMS_METRICS_PORT`.',
  },
  P11KMS_QUOTA_CRYPTOGRAPHIC: {
    schema: perSecond,
    description:
      'Requests a second that each principal may make to encrypt, decrypt, re-encrypt and generate data keys and random bytes; one more is answered with ThrottlingException. Without it there is no bound.',
  },
  P11KMS_QUOTA_KEY_PAIRS: {
    schema: perSecond,
    description: 'The same for data key pairs.',
  },
  P11KMS_QUOTA_MANAGEMENT: {
    schema: perSecond,
    description: 'The same for all other operations.',
  },
  P11KMS_ALIBABA_KEY_PAIR_CONCURRENCY: {
    schema: { type: 'integer', minimum: 1, maximum: 65_535 },
    description:
      "Key pairs that are made at the same time for clients of Alibaba's protocol; one more is answered with Rejected.Throttling. 1 is Alibaba's own limit. Without it there is no bound but the token's workers and their queue.",
  },
} as const satisfies Record<string, Setting>;
