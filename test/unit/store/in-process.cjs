/**
 * Works on a store in a process of its own: `node in-process.cjs WHAT ADDRESS [crash-at:SQL]`, where the address is a
 * data directory or a URL. `open`: opens it when told to, and sends the store's id, or the error. `alone`: sends a
 * message when it has the store's lock to itself, and gives it back when told to. With crash-at, the process kills
 * itself where a statement begins so.
 */
const { once } = require('node:events');
const { join } = require('node:path');
const SQLite = require('better-sqlite3');
const { Client } = require('pg');
const dist = join(__dirname, '../../../dist');
const { DatabaseUrl } = require(join(dist, 'config/database-url.js'));
const { openStore } = require(join(dist, 'store/store.js'));

const [, , what, place, crash] = process.argv;
const address = place.startsWith('postgres:') ? new DatabaseUrl(place) : place;

if (crash) {
  for (const [owner, method] of [
    [SQLite.prototype, 'prepare'],
    [Client.prototype, 'query'],
  ]) {
    const original = owner[method];
    owner[method] = function (sql, ...rest) {
      if (String(sql).startsWith(crash.slice('crash-at:'.length))) process.kill(process.pid, 'SIGKILL');
      return original.call(this, sql, ...rest);
    };
  }
}

const told = () => once(process, 'message');

const work = {
  async open() {
    process.send('ready');
    await told();
    try {
      const store = await openStore(address);
      const { id } = await store.identity.read();
      await store.close();
      return { id };
    } catch (error) {
      return { error: String(error) };
    }
  },
  async alone() {
    const store = await openStore(address);
    await store.exclusively('token-objects', async () => {
      process.send('alone');
      await told();
    });
    await store.close();
    return 'done';
  },
};

work[what]().then((answer) => process.send(answer, () => process.disconnect()));
