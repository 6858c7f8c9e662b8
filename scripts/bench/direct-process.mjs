/**
 * One process of the direct loop: the PKCS#11 calls of the token worker's jobs, with the worker's templates and
 * the service's key, as fast as they go.
 *
 * Argument: the id of the KMS key. Message: a slice to run; the answer is what was done in it.
 */
import assert from 'node:assert';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { Module, ObjectClass, SessionFlag, Template, UserType } from 'graphene-pk11';
import { TOKEN_LABEL } from '../../softhsm/token-directory.mjs';
import { CONTEXT, operationNamed, PLAINTEXT_BYTES } from './operations.mjs';

const require = createRequire(import.meta.url);
const { keyPairSpec } = require('../../dist/hsm/key-pair-specs.js');
const { MECHANISM } = require('../../dist/hsm/worker/session.js');
const { dataKeyPair } = require('../../dist/hsm/worker/templates.js');

const OS_LOCKING_OK = 2;
const GCM_PARAMS = 7;
const IV_BYTES = 12;
const TAG_BYTES = 16;
const WRAPPED_KEY_BYTES = 4096;
const CKA = { LABEL: 0x3, MODULUS: 0x120, PUBLIC_EXPONENT: 0x122, EC_POINT: 0x181 };
/** As many bytes as the service authenticates: a ciphertext's header and the encryption context. */
const HEADER_BYTES = 26;

const lib = openModule();
const session = openSession();
const keys = { encrypt: keyObject('encrypt'), wrap: keyObject('wrap') };
const aad = Buffer.alloc(HEADER_BYTES + JSON.stringify(CONTEXT).length, 1);

function openModule() {
  const module = Module.load(process.env.P11KMS_PKCS11_MODULE);
  module.initialize({ flags: OS_LOCKING_OK });
  return module.lib;
}

function openSession() {
  const label = (slot) => lib.C_GetTokenInfo(slot).label.replace(/[\0 ]+$/, '');
  const slot = lib.C_GetSlotList(true).find((one) => label(one) === TOKEN_LABEL);
  const opened = lib.C_OpenSession(slot, SessionFlag.SERIAL_SESSION | SessionFlag.RW_SESSION);
  lib.C_Login(opened, UserType.USER, readFileSync(process.env.P11KMS_PIN_FILE, 'utf8').trim());
  return opened;
}

function keyObject(role) {
  lib.C_FindObjectsInit(session, Template.toPkcs11({ class: ObjectClass.SECRET_KEY, token: true }));
  const found = lib.C_FindObjects(session, 64);
  lib.C_FindObjectsFinal(session);
  const object = found.find((one) => {
    const [{ value }] = lib.C_GetAttributeValue(session, one, [{ type: CKA.LABEL }]);
    return value.toString().endsWith(`/${process.argv[2]}/1/${role}`);
  });
  assert(object, `the key has no object for ${role}`);
  return object;
}

const gcm = (iv) => ({
  mechanism: MECHANISM.AES_GCM,
  parameter: { type: GCM_PARAMS, iv, ivBits: IV_BYTES * 8, aad, tagBits: TAG_BYTES * 8 },
});

function encrypt(plaintext) {
  const iv = lib.C_GenerateRandom(session, Buffer.alloc(IV_BYTES));
  lib.C_EncryptInit(session, gcm(iv), keys.encrypt);
  return { iv, sealed: lib.C_Encrypt(session, plaintext, Buffer.alloc(plaintext.length + TAG_BYTES)) };
}

function decrypt({ iv, sealed }) {
  lib.C_DecryptInit(session, gcm(iv), keys.encrypt);
  return lib.C_Decrypt(session, sealed, Buffer.alloc(sealed.length));
}

/** The loop's body for key pairs of a spec. */
function pairMaker(name) {
  const spec = keyPairSpec(name);
  const { publicKey, privateKey } = dataKeyPair(spec);
  const isRsa = spec.key.type === 'RSA';
  const mechanism = isRsa ? MECHANISM.RSA_PKCS_KEY_PAIR_GEN : MECHANISM.EC_KEY_PAIR_GEN;
  const read = (isRsa ? [CKA.MODULUS, CKA.PUBLIC_EXPONENT] : [CKA.EC_POINT]).map((type) => ({ type }));
  return () => {
    const pair = lib.C_GenerateKeyPair(session, { mechanism }, publicKey, privateKey);
    lib.C_GetAttributeValue(session, pair.publicKey, read);
    const room = Buffer.alloc(WRAPPED_KEY_BYTES);
    // SoftHSM2 does RFC 5649 under this number.
    const kwp = { mechanism: MECHANISM.AES_KEY_WRAP_PAD };
    encrypt(lib.C_WrapKey(session, kwp, keys.wrap, pair.privateKey, room));
    lib.C_DestroyObject(session, pair.publicKey);
    lib.C_DestroyObject(session, pair.privateKey);
  };
}

function bodyOf({ job, spec }) {
  if (job === 'generateKeyPair') return pairMaker(spec);
  const plaintext = Buffer.alloc(PLAINTEXT_BYTES, 1);
  if (job === 'encrypt') return () => encrypt(plaintext);
  const sealed = encrypt(plaintext);
  assert(decrypt(sealed).equals(plaintext), 'the token decrypts something else than it encrypted');
  return () => decrypt(sealed);
}

/** Counts from the end of the lead on, to the end of the first round trip that ends too late. */
function run({ operation, leadMs, ms }) {
  const body = bodyOf(operationNamed(operation));
  const leadUntil = performance.now() + leadMs;
  while (performance.now() < leadUntil) body();
  const begun = performance.now();
  const until = leadUntil + ms;
  let count = 0;
  let now = begun;
  while (now < until) {
    body();
    now = performance.now();
    count++;
  }
  return { perSecond: (count * 1000) / (now - begun) };
}

// Ctrl-C is the benchmark's to act on.
process.on('SIGINT', () => undefined);
process.on('disconnect', () => process.exit(0));
process.on('message', (slice) => process.send(run(slice)));
process.send('ready');
