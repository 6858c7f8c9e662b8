/**
 * Opens a store in a process of its own, when told to: `node open-in-process.cjs DIRECTORY [crash-at:SQL]`. Sends
 * the store's id, or the error. With crash-at, the process kills itself where a statement begins so.
 */
const { join } = require('node:path');
const SQLite = require('better-sqlite3');
const { openStore } = require(join(__dirname, '../../../dist/store/store.js'));

const [, , directory, crash] = process.argv;

if (crash) {
  const { prepare } = SQLite.prototype;
  SQLite.prototype.prepare = function (sql) {
    if (sql.startsWith(crash.slice('crash-at:'.length))) process.kill(process.pid, 'SIGKILL');
    return prepare.call(this, sql);
  };
}

async function open() {
  try {
    const store = await openStore(directory);
    const { id } = await store.identity.read();
    await store.close();
    return { id };
  } catch (error) {
    return { error: String(error) };
  }
}

process.on('message', async () => {
  const answer = await open();
  process.send(answer, () => process.disconnect());
});
process.send('ready');
