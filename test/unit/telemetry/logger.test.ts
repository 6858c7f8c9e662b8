import { Writable } from 'node:stream';
import { createLogger, describeError, type LogLevel } from '../../../src/telemetry/logger';

function capture(level: LogLevel) {
  let text = '';
  const stream = new Writable({
    write(chunk, _encoding, done) {
      text += chunk;
      done();
    },
  });
  return { logger: createLogger(level, stream), text: () => text };
}

describe('a log line', () => {
  it('is one JSON object with a timestamp, the level, the message and the fields', () => {
    const { logger, text } = capture('info');
    logger.info('two\nlines', { operation: 'Encrypt', status: 200, keyId: undefined });
    expect(text().indexOf('\n')).toBe(text().length - 1);
    const line = JSON.parse(text());
    expect(Object.keys(line)).toEqual(['timestamp', 'level', 'message', 'operation', 'status']);
    expect(line).toMatchObject({ level: 'info', message: 'two\nlines', operation: 'Encrypt', status: 200 });
    expect(new Date(line.timestamp).toISOString()).toBe(line.timestamp);
  });

  it('is left out below the level', () => {
    const { logger, text } = capture('warn');
    logger.info('quiet');
    logger.debug('quiet');
    expect(text()).toBe('');
    logger.warn('loud');
    logger.error('loud');
    expect(text().trim().split('\n')).toHaveLength(2);
  });

  it('tells of an error its name, message, code and stack, and those of its causes, and nothing else', () => {
    const { logger, text } = capture('info');
    const module = Object.assign(new TypeError('inner'), { code: 160, plaintext: 'secret' });
    const error = Object.assign(new Error('outer', { cause: module }), { code: 'E_OUTER', body: 'secret' });
    logger.error('failed', { error });
    const line = JSON.parse(text());
    expect(line.error).toMatchObject({ name: 'Error', message: 'outer', code: 'E_OUTER' });
    expect(line.error.stack).toContain('logger.test');
    expect(line.error.cause).toMatchObject({ name: 'TypeError', message: 'inner', code: 160 });
    expect(text()).not.toContain('secret');
  });

  it('tells the same of an error that is all there is to log', () => {
    const { logger, text } = capture('info');
    logger.error(new TypeError('all', { cause: new Error('why') }));
    const line = JSON.parse(text());
    expect(line).toMatchObject({ level: 'error', message: 'all', error: { name: 'TypeError' } });
    expect(line.error.cause.message).toBe('why');
  });

  it('knows errors of another Error class', () => {
    const { logger, text } = capture('info');
    logger.error('failed', { error: { name: 'Pkcs11Error', message: 'CKR_DEVICE_ERROR', code: 48 } });
    expect(JSON.parse(text()).error).toEqual({ name: 'Pkcs11Error', message: 'CKR_DEVICE_ERROR', code: 48 });
  });

  it('survives what JSON cannot hold', () => {
    const { logger, text } = capture('info');
    const loop: Record<string, unknown> = {};
    loop.self = loop;
    logger.info('loop', { loop });
    logger.info('bigint', { size: 1n });
    const lines = text()
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines).toEqual([
      expect.objectContaining({ level: 'info', message: 'loop', unloggable: expect.any(String) }),
      expect.objectContaining({ level: 'info', message: 'bigint', unloggable: expect.any(String) }),
    ]);
  });
});

describe('describeError', () => {
  it('ends where causes lead in a circle', () => {
    const error = new Error('a');
    error.cause = new Error('b', { cause: error });
    expect(JSON.stringify(describeError(error)).match(/"message":"a"/g)?.length).toBeLessThan(10);
  });

  it('takes whatever was thrown', () => {
    expect(describeError('text')).toEqual({ name: 'string', message: 'text' });
    expect(describeError(undefined)).toEqual({ name: 'undefined', message: 'undefined' });
  });
});
