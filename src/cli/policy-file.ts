/** Policies in files that people write. */
import { FileFault, readSmallFile } from '../config/files';
import { KmsError, StartError } from '../errors';

/** Far more than a policy may have without white space. */
const MAX_BYTES = 65_536;

/**
 * The text of a policy.
 *
 * @throws StartError where the file cannot be read, or is not JSON: then with the place
 */
export function readPolicy(file: string): string {
  const text = readText(file);
  try {
    JSON.parse(text);
  } catch (error) {
    throw new StartError(`${file} is not JSON: ${faultOf(text, error)}`);
  }
  return text;
}

/** Says of what is wrong with a policy in which file it is. */
export async function withFileName(file: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof KmsError && error.code === 'MALFORMED_POLICY')) throw error;
    throw new StartError(`${file}: ${error.message}`, undefined, { cause: error });
  }
}

function readText(file: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(readSmallFile(file, MAX_BYTES).bytes);
  } catch (error) {
    const why = error instanceof FileFault ? error.message : 'is not UTF-8';
    throw new StartError(`${file} ${why}`, undefined, { cause: error });
  }
}

/** Tells the place by line and column, or else by a few characters around it, as the parser does. */
function faultOf(text: string, error: unknown): string {
  const fault = (error instanceof Error ? error.message : String(error)).replace(/\s+/g, ' ');
  return fault.replace(/ in JSON at position (\d+).*$/, (_, position) => {
    const before = text.slice(0, Number(position)).split('\n');
    return ` in line ${before.length}, column ${(before.at(-1)?.length ?? 0) + 1}`;
  });
}
