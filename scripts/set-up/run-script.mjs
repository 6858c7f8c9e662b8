// The first module to run, on whatever Node is there: nothing newer than Node 12 may stand here.

/** What "engines" in package.json says. */
const OLDEST = [20, 19];

/** Why the set-up cannot go on: a line or two for the person at the terminal. */
export class SetUpError extends Error {}

/**
 * Runs a script, which imports what it needs only then, because an older Node could not even load that.
 * What it returns is the exit code; a SetUpError, and a Node that is too old, become one line and code 1.
 */
export async function runScript(script) {
  try {
    checkNodeVersion();
    process.exitCode = await script();
  } catch (error) {
    if (!(error instanceof SetUpError)) throw error;
    process.stderr.write(`p11kms: ${error.message}\n`);
    process.exitCode = 1;
  }
}

function checkNodeVersion() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1])) return;
  throw new SetUpError(
    `Node ${process.versions.node} is too old: install Node ${OLDEST.join('.')} or newer, then start again`,
  );
}
