import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { forgetRefusedPin, rememberRefusedPin, wasRefused } from '../../../src/hsm/refused-pin';

const PIN = Buffer.from('correct-horse');
let dataDir = '';

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'p11kms-pin-'));
});
afterEach(() => rmSync(dataDir, { recursive: true, force: true }));

const file = () => join(dataDir, 'refused-pin.json');
const modeOf = (path: string) => (statSync(path).mode & 0o777).toString(8);

describe('the memory of a refused PIN', () => {
  it('knows the PIN again, and says when it was refused and where that is written', async () => {
    const before = new Date().toISOString();
    await rememberRefusedPin(dataDir, 'token', PIN);
    const memory = await wasRefused(dataDir, 'token', Buffer.from(PIN));
    expect(memory).toEqual({ when: expect.any(String), file: file() });
    expect(String(memory?.when) >= before).toBe(true);
    expect(String(memory?.when) <= new Date().toISOString()).toBe(true);
  });

  it.each([
    ['another PIN', 'token', 'wrong-horse'],
    ['the PIN with a newline', 'token', 'correct-horse\n'],
    ['no PIN', 'token', ''],
    ['the PIN of another token', 'Token', 'correct-horse'],
  ])('does not stop %s', async (_what, label, pin) => {
    await rememberRefusedPin(dataDir, 'token', PIN);
    await expect(wasRefused(dataDir, label, Buffer.from(pin))).resolves.toBeUndefined();
  });

  it('stops nobody where there is none', async () => {
    await expect(wasRefused(dataDir, 'token', PIN)).resolves.toBeUndefined();
    await expect(wasRefused(join(dataDir, 'nowhere'), 'token', PIN)).resolves.toBeUndefined();
    expect(readdirSync(dataDir)).toEqual([]);
  });

  it('is for its owner alone, in a directory for its owner alone', async () => {
    const umask = process.umask(0o022);
    try {
      const fresh = join(dataDir, 'fresh');
      await rememberRefusedPin(fresh, 'token', PIN);
      expect(modeOf(fresh)).toBe('700');
      expect(modeOf(join(fresh, 'refused-pin.json'))).toBe('600');
    } finally {
      process.umask(umask);
    }
  });

  it('holds neither the PIN nor the same hash twice', async () => {
    const memories: Record<string, string>[] = [];
    for (let time = 0; time < 2; time++) {
      await rememberRefusedPin(dataDir, 'token', PIN);
      const text = readFileSync(file(), 'utf8');
      for (const form of ['utf8', 'hex', 'base64'] as const) expect(text).not.toContain(PIN.toString(form));
      memories.push(JSON.parse(text));
    }
    const [one, other] = memories;
    expect(Object.keys(one ?? {}).sort()).toEqual(['hash', 'salt', 'tokenLabel', 'when']);
    expect(one?.salt).not.toBe(other?.salt);
    expect(one?.hash).not.toBe(other?.hash);
  });

  it('leaves the caller its PIN', async () => {
    const pin = Buffer.from(PIN);
    await rememberRefusedPin(dataDir, 'token', pin);
    await wasRefused(dataDir, 'token', pin);
    expect(pin).toEqual(PIN);
  });

  it('is of the last PIN that was refused', async () => {
    await rememberRefusedPin(dataDir, 'token', PIN);
    await rememberRefusedPin(dataDir, 'token', Buffer.from('wrong-horse'));
    await expect(wasRefused(dataDir, 'token', Buffer.from('wrong-horse'))).resolves.toBeDefined();
    await expect(wasRefused(dataDir, 'token', PIN)).resolves.toBeUndefined();
  });

  it('goes when the token takes a PIN, and stays when another token does', async () => {
    await rememberRefusedPin(dataDir, 'token', PIN);
    await forgetRefusedPin(dataDir, 'other');
    await expect(wasRefused(dataDir, 'token', PIN)).resolves.toBeDefined();
    await forgetRefusedPin(dataDir, 'token');
    await expect(wasRefused(dataDir, 'token', PIN)).resolves.toBeUndefined();
    expect(readdirSync(dataDir)).toEqual([]);
    await forgetRefusedPin(dataDir, 'token');
  });

  it.each([
    ['nothing', ''],
    ['half of it', '{"tokenLabel":"token","when":"2026-01-01T00:00:00.000Z","sal'],
    ['other JSON', 'null'],
    ['a list', '["token"]'],
    ['members of other types', '{"tokenLabel":"token","when":1,"salt":2,"hash":3}'],
    ['a hash that is none', '{"tokenLabel":"token","when":"x","salt":"zz","hash":"zz"}'],
    ['an empty hash', '{"tokenLabel":"token","when":"x","salt":"","hash":""}'],
  ])('stops nobody where its file holds %s, and can be written anew', async (_what, text) => {
    writeFileSync(file(), text);
    await expect(wasRefused(dataDir, 'token', PIN)).resolves.toBeUndefined();
    await rememberRefusedPin(dataDir, 'token', PIN);
    await expect(wasRefused(dataDir, 'token', PIN)).resolves.toBeDefined();
  });
});
