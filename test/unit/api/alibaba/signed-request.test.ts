import { createPrivateKey, sign } from 'node:crypto';
import { type AlibabaRequest, signedHeaders } from '../../../support/alibaba-client';

// The test client judges the service: here it is held against a request written by hand, whose signature was made by
// `openssl dgst -sha256 -sign`.

const PRIVATE_KEY = createPrivateKey({
  key: [
    'MIICdgIBADANBgkqhkiG9w0BAQEFAASCAmAwggJcAgEAAoGBAOj8eTrhxH+kunf2SnjWRfmo+OmQrWeAtry4kv3ZhC/5uGmg16s9',
    '9qVp1mQp2bCU/lAfh8JECXVWspJO5A0cZEpWtXklRueFYZZ2Uvh4eDcT9IvHoSLOzliRm2eKYzdHnM474AYq9F22o8BBEhZMfqFp',
    '1AcrUpu6vbDl/yxnNAUJAgMBAAECgYEA4g62Aa+03LSUSHkr4Prmgkq02MqLtXVp2MqttKgsXfBKQhLRr1E701tRrXX9xhuKdWti',
    'addh5fvs35C0LRRzKOPctVyVjqIZJLoPkQsV5iPZ3ecfpHAfsYwrfyXF1M5zuHNeUKy0HUTtk/2GStD54wsnlGw9s9xQTpjAIriF',
    'AUECQQD5CCxytWCMM/ygLEZxpuzCEy0EiCMP5e5m61STS8PMuqE4CbOiAmu4PJAe2jrjX/xWHJVnIvANOfIQLTj0DZtFAkEA74Fd',
    'JniNuOCIk5wQA1fpe0AqVzaEz6/28hAmvELO0aG/3jU4nKs+A9Wr7RlfF9+2LMeInkDmsIqcKOdvdiV89QJAOJZu4zHr2nAFu6/T',
    '4gd4TTFmTV1R+k7ZOXHIKiBRQbg24jDyLKI4MAkzBo+4SeqJwFeGa4U43wiHxL1B79MXsQJAT+JDEojVJFvn0ewUvzi8THqrZKlv',
    'hOI5KKXQdayG1Q7xMwlnV4IaTicfkBaNTCY22hq3a6lUCIBC87W1zJ9WXQJAMAaNWv1tdeG8xmpzr2wUYLjGf/nqDcMESlTBz5bB',
    'IVQqUhyRRNNqiMMl/CJLxayk45hbSG07BdkOsHLGZq0SrA==',
  ].join(''),
  format: 'der',
  type: 'pkcs8',
  encoding: 'base64',
});

const TEXT = [
  'POST',
  '230D8358DC8E8890B4C58DEEB62912EE2F20357AE92A5CC861B98E68FE31ACB5',
  'application/x-protobuf',
  'Tue, 03 Mar 2026 04:05:06 GMT',
  'x-kms-acccesskeyid:KAAP.0123',
  'x-kms-apiname:GenerateRandom',
  'x-kms-apiversion:dkms-gcs-0.2',
  'x-kms-signaturemethod:RSA_PKCS1_SHA_256',
  '/',
].join('\n');

const SIGNATURE = [
  'Fyfe+WegvCUbtanc6Zc16ygveBDY3WQLlh5cv2V6ChCeF90CLwdeT/XIYqVanKx1Hvw/jbYhRc7CnLyR883r4azIr7+MPTgObzD8',
  'vyNHMtH+3OYfe5i7KpJsxXJrR4Pspax6eJx4x1CCJ37sXHnEfvwzR/W1+Ynlk9ZxSbTgvSA=',
].join('');

const REQUEST: AlibabaRequest = {
  name: 'GenerateRandom',
  body: Buffer.from('body'),
  date: new Date('2026-03-03T04:05:06.789Z'),
};

function signed(changes: Partial<AlibabaRequest> = {}) {
  const texts: string[] = [];
  const headers = signedHeaders({ ...REQUEST, ...changes }, 'KAAP.0123', (text) => {
    texts.push(text);
    return sign('sha256', Buffer.from(text), PRIVATE_KEY);
  });
  return { headers, text: texts[0] };
}

it('is the text that was written by hand, signed as OpenSSL signs it', () => {
  const { headers, text } = signed();
  expect(text).toBe(TEXT);
  expect(headers).toEqual({
    accept: 'application/x-protobuf',
    'content-type': 'application/x-protobuf',
    'content-sha256': '230D8358DC8E8890B4C58DEEB62912EE2F20357AE92A5CC861B98E68FE31ACB5',
    date: 'Tue, 03 Mar 2026 04:05:06 GMT',
    'x-kms-apiversion': 'dkms-gcs-0.2',
    'x-kms-apiname': 'GenerateRandom',
    'x-kms-signaturemethod': 'RSA_PKCS1_SHA_256',
    'x-kms-acccesskeyid': 'KAAP.0123',
    authorization: `Bearer ${SIGNATURE}`,
  });
});

it('signs a changed header, one that is left out, and one more', () => {
  const headers = { 'x-kms-apiname': ' Encrypt ', date: undefined, 'x-kms-zz': 'more' };
  expect(signed({ headers }).text).toBe(
    TEXT.replace('Tue, 03 Mar 2026 04:05:06 GMT', '')
      .replace('GenerateRandom', 'Encrypt')
      .replace('256\n/', '256\nx-kms-zz:more\n/'),
  );
});

it('signs nothing of what is changed afterwards', () => {
  const { headers, text } = signed({
    unsigned: { date: 'now', 'content-type': undefined },
    scheme: 'TOKEN ',
  });
  expect(text).toBe(TEXT);
  expect(headers).toMatchObject({ date: 'now', authorization: `TOKEN ${SIGNATURE}` });
  expect(headers).not.toHaveProperty('content-type');
});
