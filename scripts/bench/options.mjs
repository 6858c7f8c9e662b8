import { parseArgs } from 'node:util';
import { SetUpError } from '../set-up/run-script.mjs';
import { INTERFERENCE, OPERATIONS } from './operations.mjs';

const NAMES = [...OPERATIONS.map(({ name }) => name), INTERFERENCE];

export const HELP = `Usage: npm run bench -- [options]

Measures the service over HTTP and, in turns with it, a loop of the same PKCS#11 calls in as many processes as
the service has workers. Makes a SoftHSM2 token and a store of its own and removes them at the end.

  --quick       a few short rounds (half a minute): for a first look, too noisy to judge by
  --only NAME   one part only (may be repeated): ${NAMES.join(', ')}
  --json FILE   also write every round's figures there
  --help        this text

P11KMS_TOKEN_WORKERS and P11KMS_KEY_PAIR_WORKERS apply; no other P11KMS_* setting does.
Exit code: 0 measured, whatever the figures; 1 not measured, or requests failed.
`;

/**
 * Rounds and the seconds of one slice of each. RSA keys take as long as luck has it: their rate wants many.
 * `single` is a slice with one connection, whose rate is not judged.
 */
const FULL = { rounds: 5, seconds: { fast: 1.2, rsa: 6, rsaSingle: 3, interference: 4 } };
const QUICK = { rounds: 2, seconds: { fast: 0.5, rsa: 1.5, rsaSingle: 1, interference: 1.5 } };

/** What the command line asks for. Throws SetUpError. */
export function readOptions(args) {
  const { quick, only, json, help } = parse(args);
  const unknown = only.filter((name) => !NAMES.includes(name));
  if (unknown.length > 0) {
    throw new SetUpError(`--only ${unknown[0]}: there is no such part; there are ${NAMES.join(', ')}`);
  }
  const parts = only.length > 0 ? only : NAMES;
  return { help, quick, json, parts, ...(quick ? QUICK : FULL) };
}

function parse(args) {
  try {
    const { values } = parseArgs({
      args,
      options: {
        quick: { type: 'boolean', default: false },
        only: { type: 'string', multiple: true, default: [] },
        json: { type: 'string' },
        help: { type: 'boolean', default: false },
      },
    });
    return values;
  } catch (error) {
    throw new SetUpError(`${error.message} (npm run bench -- --help)`);
  }
}
