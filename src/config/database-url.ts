/** A PostgreSQL database's URL. It may hold a password, so it is in a private field: JSON, util.inspect and clones lack it. */
export class DatabaseUrl {
  /** The database without password and parameters, for people. */
  readonly name: string;
  readonly #url: string;

  /** @param url as `databaseUrlFault` finds nothing wrong with */
  constructor(url: string) {
    this.#url = url;
    this.name = withoutSecrets(url);
  }

  reveal(): string {
    return this.#url;
  }
}

/** What is wrong with a URL, in words that hold nothing of it. */
export function databaseUrlFault(url: string): string | undefined {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (!parsed || !/^postgres(ql)?:\/\//.test(url)) return NOT_A_URL;
  // Behind the host these come from a password that was not encoded, and would be shown as a database's name.
  const { username, password, pathname, search, hash } = parsed;
  if (/[@:]|\/./.test(pathname.slice(1)) || search.includes('@') || hash !== '') return NOT_ENCODED;
  return [username, password, pathname].every(isDecodable) ? undefined : NOT_ENCODED;
}

export function hasPassword(url: string): boolean {
  const { password, searchParams } = new URL(url);
  return password !== '' || searchParams.has('password');
}

const NOT_A_URL = 'must be a URL like postgres://user:password@host:5432/database';
const NOT_ENCODED = `${NOT_A_URL}, with special characters in percent-encoding (@ is %40)`;

function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

function withoutSecrets(url: string): string {
  const { username, hostname, port, pathname, searchParams } = new URL(url);
  const user = searchParams.get('user') ?? username;
  const host = hostname || searchParams.get('host') || 'localhost';
  const at = port || searchParams.get('port');
  return `postgres://${user && `${user}@`}${host}${at ? `:${at}` : ''}${pathname}`;
}
