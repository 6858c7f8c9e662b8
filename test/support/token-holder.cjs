/*
 * A process that holds a started token, as the service does, and gets killed. Argument: the options as JSON,
 * with the PIN as text. Sends the workers' process ids, then runs the jobs that it is sent and answers nothing.
 */
const { randomBytes } = require('node:crypto');
const { startToken } = require('../../dist/hsm/token.js');

const pids = [];
const observer = {
  jobDone: () => {},
  workerStarted: ({ pid }) => pids.push(pid),
  workerEnded: () => {},
  workerFailed: () => {},
  moduleOutput: () => {},
};

async function hold() {
  const { pin, ...options } = JSON.parse(process.argv[2]);
  const token = await startToken({ ...options, pin: Buffer.from(pin), observer, onFatal: () => {} });
  const [encrypt, wrap] = ['encrypt', 'wrap'].map((role) => ({
    id: randomBytes(16).toString('hex'),
    label: `p11kms/test/held/1/${role}`,
  }));
  await token.run('createKeyObjects', { encrypt, wrap });
  process.on('message', () => {
    for (let job = 0; job < options.tokenWorkers; job++) {
      const plaintext = randomBytes(32);
      token.run('encrypt', { object: encrypt.id, aad: Buffer.alloc(0), plaintext }).catch(() => {});
    }
  });
  process.send({ pids });
}

void hold();
