import { readiness } from '../../../src/api/health';
import { captureLog } from './support';

const ok = async () => {};
const never = () => new Promise<void>(() => {});

describe('readiness', () => {
  it('is all parts’', async () => {
    const { logger } = captureLog();
    expect(await readiness({ token: ok, store: ok }, logger)()).toEqual({
      ready: true,
      parts: { token: 'ok', store: 'ok' },
    });
    const broken = async () => {
      throw new Error('no');
    };
    expect(await readiness({ token: broken, store: ok }, logger)()).toEqual({
      ready: false,
      parts: { token: 'unavailable', store: 'ok' },
    });
  });

  it('takes a check that throws at once for one that fails', async () => {
    const check = () => {
      throw new Error('no');
    };
    expect(await readiness({ token: check }, captureLog().logger)()).toMatchObject({ ready: false });
  });

  it('does not wait for a part that hangs, and does not ask it again meanwhile', async () => {
    const hangs = jest.fn(never);
    const ready = readiness({ token: hangs, store: ok }, captureLog().logger, 30);
    const started = performance.now();
    expect(await Promise.all([ready(), ready()])).toEqual(
      Array(2).fill({ ready: false, parts: { token: 'timeout', store: 'ok' } }),
    );
    await ready();
    expect(performance.now() - started).toBeLessThan(1000);
    expect(hangs).toHaveBeenCalledTimes(1);
  });

  it('is found out once for all who ask at the same time, and anew for who asks later', async () => {
    const check = jest.fn(ok);
    const ready = readiness({ token: check }, captureLog().logger);
    await Promise.all([ready(), ready(), ready()]);
    expect(check).toHaveBeenCalledTimes(1);
    await ready();
    expect(check).toHaveBeenCalledTimes(2);
  });

  it('is logged when it changes', async () => {
    const { logger, lines } = captureLog();
    let fault: Error | undefined = new Error('no token');
    const ready = readiness(
      {
        token: async () => {
          if (fault) throw fault;
        },
      },
      logger,
    );
    await ready();
    await ready();
    fault = undefined;
    await ready();
    await ready();
    expect(lines()).toMatchObject([
      {
        level: 'warn',
        message: 'not ready',
        parts: { token: 'unavailable' },
        error: { message: 'no token' },
      },
      { level: 'info', message: 'ready' },
    ]);
  });
});
