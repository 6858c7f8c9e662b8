/*
 * Loaded into token workers with NODE_OPTIONS=--require: garbage is collected after every call that gives the
 * module pointers into this process's memory, and written over where it was freed, so that a module which still
 * reads or writes there is found out. Prints a line every 1,000 times.
 */
const { setFlagsFromString } = require('node:v8');
const { runInNewContext } = require('node:vm');
const { PKCS11 } = require('pkcs11js');

const FULL_EVERY = 50;
setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc');
let collections = 0;

function collectGarbage() {
  collect({ type: ++collections % FULL_EVERY === 0 ? 'major' : 'minor' });
  for (const size of [12, 16, 32, 64]) Buffer.alloc(size, 0xdb);
  if (collections % 1_000 === 0) console.log('1,000 collections');
}

/** The addon's own class, below the one that pkcs11js makes of it. */
const addon = Object.getPrototypeOf(PKCS11.prototype);
for (const name of ['C_EncryptInit', 'C_Encrypt', 'C_DecryptInit', 'C_Decrypt']) {
  const call = addon[name];
  addon[name] = function (...values) {
    const result = call.apply(this, values);
    collectGarbage();
    return result;
  };
}
