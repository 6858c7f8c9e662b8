/** What AWS KMS has and p11kms has not. Each ends a sentence that begins "X is not supported: ". */
export const ABSENT = {
  asymmetricKeys: 'there are no asymmetric KMS keys',
  hmacKeys: 'there are no HMAC KMS keys',
  keyEncapsulation: 'there are no KMS keys for post-quantum key encapsulation (ML-KEM)',
  importedKeyMaterial: 'key material is made on the token and never imported',
  multiRegionKeys: 'there are no multi-Region keys, because the service is in one Region',
  customKeyStores: "there are no custom key stores, because all keys are on the service's own token",
  enclaves: 'there are no attested enclaves (AWS Nitro) that an answer could be encrypted for',
  services: 'there are no AWS services that could be given a grant, or retire one',
  sourceArns: 'no request is made on behalf of an AWS resource',
} as const;
