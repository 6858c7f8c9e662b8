/*
 * Makes PKCS#11 calls in a process of its own, where the module sees the environment that fork was given:
 * one message a call, the function's name and its arguments, answered with its result or its CKR code.
 */
const pkcs11js = require('pkcs11js');

const module_ = new pkcs11js.PKCS11();
// What the module was given stays reachable: a token that makes its own IV writes it into a Buffer of an
// earlier call.
const kept = [];

const steps = {
  start(path) {
    module_.load(path);
    module_.C_Initialize({ flags: pkcs11js.CKF_OS_LOCKING_OK });
  },
  findSlot(label) {
    return module_.C_GetSlotList(true).find((slot) => module_.C_GetTokenInfo(slot).label.trim() === label);
  },
  /** The IV is read when the ciphertext is there. */
  encryptGcm(session, key, params, data) {
    const iv = Buffer.from(params.iv);
    module_.C_EncryptInit(session, { mechanism: pkcs11js.CKM_AES_GCM, parameter: { ...params, iv } }, key);
    const afterInit = Buffer.from(iv);
    const ciphertext = module_.C_Encrypt(session, data, Buffer.alloc(data.length + 16));
    return { afterInit, iv, ciphertext };
  },
  wrapGcm(session, wrappingKey, params, key, room = 8192) {
    const iv = Buffer.from(params.iv);
    const mechanism = { mechanism: pkcs11js.CKM_AES_GCM, parameter: { ...params, iv } };
    const wrapped = module_.C_WrapKey(session, mechanism, wrappingKey, key, Buffer.alloc(room));
    return { iv, wrapped };
  },
};

/** Buffers arrive over the channel as Uint8Array, which pkcs11js does not take. */
function revive(value) {
  if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  if (Array.isArray(value)) return value.map(revive);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, revive(member)]));
}

process.on('message', ({ name, values }) => {
  const given = revive(values);
  kept.push(given);
  try {
    const value = name in steps ? steps[name](...given) : module_[name](...given);
    process.send({ value });
  } catch (error) {
    process.send({ code: error.code ?? -1, message: error.message });
  }
});
