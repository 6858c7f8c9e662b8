/**
 * Records in a loop until it is killed: `node records-in-a-loop.cjs DIR`. Prints the chain, then the number of each
 * record when it is on disk.
 */
const { randomBytes } = require('node:crypto');
const { join } = require('node:path');
const dist = join(__dirname, '../../../dist');
const { openAudit } = require(join(dist, 'audit/audit.js'));
const { recordBound } = require(join(dist, 'audit/entry.js'));
const { lockFile } = require(join(dist, 'store/lock.js'));

async function main(dir) {
  const audit = await openAudit({
    dir,
    storeId: '0123456789ab',
    fileBytes: 65_536,
    stepBytes: 16_384,
    checkpointEvery: 10,
    heads: {
      put: async (...head) => void process.stdout.write(`head ${head.join(' ')}\n`),
      list: async () => [],
    },
    lock: lockFile,
    onTrouble: (message, error) => void process.stderr.write(`${message}: ${error}\n`),
  });
  let next = 0;
  const caller = async () => {
    for (;;) {
      const number = next++;
      const reservation = await audit.reserve(recordBound(0));
      const details = { number, text: randomBytes(number % 500).toString('hex') };
      await reservation.record({
        time: new Date(),
        requestId: String(number),
        protocol: 'cli',
        operation: 'Loop',
        outcome: 'ok',
        details,
      });
      process.stdout.write(`recorded ${number}\n`);
    }
  };
  await Promise.all(Array.from({ length: 8 }, caller));
}

void main(process.argv[2]);
