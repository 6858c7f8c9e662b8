import { KmsError } from '../../errors';

interface DataKeyRequest {
  readonly KeySpec?: 'AES_128' | 'AES_256';
  readonly NumberOfBytes?: number;
}

const BYTES = { AES_128: 16, AES_256: 32 } as const;

/** The length of the data key that a request asks for, in bytes. It says so in exactly one of two ways. */
export function dataKeyBytes({ KeySpec, NumberOfBytes }: DataKeyRequest): number {
  if (KeySpec !== undefined && NumberOfBytes === undefined) return BYTES[KeySpec];
  if (KeySpec === undefined && NumberOfBytes !== undefined) return NumberOfBytes;
  throw new KmsError('INVALID_REQUEST', 'Please specify either number of bytes or key spec.');
}
