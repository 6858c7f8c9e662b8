import type { Store } from '../../../src/store/store';
import { engines } from './fixture';

let clock = 1_000_000;
beforeEach(() => {
  jest.spyOn(Date, 'now').mockImplementation(() => ++clock);
});
afterEach(() => jest.restoreAllMocks());

const key = (id: string) => ({ id, sealed_secret: `sealed ${id}` });

describe.each(engines)('principals on $name', ({ open, newAddress, name: engine }) => {
  async function withRoot(): Promise<Store> {
    const store = await open();
    await store.principals.createRoot(key('R1'));
    return store;
  }

  const keysOf = async ({ principals }: Store, name: string) =>
    (await principals.find(name))?.accessKeys.map(({ id, expires_at }) => [id, expires_at]);

  it('begin with the root principal, which is made once', async () => {
    const { principals } = await open();
    await expect(principals.create({ name: 'app' })).resolves.toBe('no-root');
    await expect(principals.createRoot(key('R1'))).resolves.toBe(true);
    await expect(principals.createRoot(key('R2'))).resolves.toBe(false);
    expect(await principals.list()).toEqual([
      {
        name: 'root',
        kind: 'root',
        certificate_subject: null,
        created_at: expect.any(Number),
        accessKeys: [{ ...key('R1'), principal: 'root', created_at: expect.any(Number), expires_at: null }],
        policies: [],
      },
    ]);
    await expect(principals.findByAccessKey('R2')).resolves.toBeUndefined();
  });

  it('of two services that start at once, one makes the root principal', async () => {
    const address = await newAddress();
    const [one, other] = [await open(address), await open(address)];
    const make = (store: Store, id: string) => () => store.principals.createRoot(key(id));
    const tries = [make(one, 'R1'), make(other, 'R2')];
    const made = engine === 'PostgreSQL' ? await Promise.all(tries.map((create) => create())) : [];
    for (const create of engine === 'SQLite' ? tries : []) made.push(await create());
    expect([...made].sort()).toEqual([false, true]);
    expect(await keysOf(one, 'root')).toEqual([[made[0] ? 'R1' : 'R2', null]]);
  });

  it('are found by name, in either case of its letters, by access key and by certificate', async () => {
    const store = await withRoot();
    const { principals } = store;
    await principals.create({ name: 'App_1', certificateSubject: 'CN=app' }, key('A1'));
    const found = await principals.find('aPP_1');
    expect(found).toMatchObject({ name: 'App_1', kind: 'user', certificate_subject: 'CN=app' });
    expect(await principals.findByAccessKey('A1')).toEqual({
      accessKey: expect.objectContaining({ id: 'A1', principal: 'App_1' }),
      principal: found,
    });
    expect(await principals.findByCertificate('CN=app')).toEqual(found);
    // `_` is no wildcard, and no certificate is none.
    expect(await principals.find('App-1')).toBeUndefined();
    expect(await principals.findByAccessKey('a1')).toBeUndefined();
    expect(await principals.findByCertificate('CN=APP')).toBeUndefined();
  });

  it('share neither a name nor a certificate', async () => {
    const { principals } = await withRoot();
    await principals.create({ name: 'app', certificateSubject: 'CN=app' });
    await expect(principals.create({ name: 'APP' }, key('A1'))).resolves.toBe('name-taken');
    await expect(principals.create({ name: 'Root' })).resolves.toBe('name-taken');
    await expect(principals.create({ name: 'b', certificateSubject: 'CN=app' }, key('A1'))).resolves.toBe(
      'certificate-taken',
    );
    expect(await principals.findByAccessKey('A1')).toBeUndefined();
    // Without one, there is nothing to share.
    await expect(principals.create({ name: 'b' })).resolves.toBe('done');
    await expect(principals.create({ name: 'c' })).resolves.toBe('done');
    expect((await principals.list()).map(({ name }) => name)).toEqual(['app', 'b', 'c', 'root']);
  });

  it('of one name in two cases, made at once, are one', async () => {
    const { principals } = await withRoot();
    const names = ['app', 'App', 'APP', 'aPP'];
    const outcomes = await Promise.all(names.map((name) => principals.create({ name })));
    expect([...outcomes].sort()).toEqual(['done', 'name-taken', 'name-taken', 'name-taken']);
  });

  it('go with their access keys and policies; the root principal stays', async () => {
    const store = await withRoot();
    const { principals } = store;
    await principals.create({ name: 'app', certificateSubject: 'CN=app' }, key('A1'));
    await principals.attachPolicy('app', 'p', '{}');
    await expect(principals.remove('APP')).resolves.toBe(true);
    await expect(principals.remove('app')).resolves.toBe(false);
    expect(await principals.findByAccessKey('A1')).toBeUndefined();
    await principals.create({ name: 'app', certificateSubject: 'CN=app' });
    expect(await principals.find('app')).toMatchObject({ accessKeys: [], policies: [] });
    await expect(principals.remove('root')).resolves.toBe(false);
    expect(await keysOf(store, 'root')).toEqual([['R1', null]]);
  });

  it('lose their access keys to a new one at once where there is no grace', async () => {
    const store = await withRoot();
    await store.principals.create({ name: 'app' }, key('A1'));
    await store.principals.addAccessKey('app', key('A2'), clock + 1_000_000);
    await expect(store.principals.addAccessKey('App', key('A3'))).resolves.toBe('done');
    expect(await keysOf(store, 'app')).toEqual([['A3', null]]);
    expect(await keysOf(store, 'root')).toEqual([['R1', null]]);
    await expect(store.principals.addAccessKey('nobody', key('A4'))).resolves.toBe('missing');
  });

  it('have two access keys at most, of which the older one ends', async () => {
    const store = await withRoot();
    const { principals } = store;
    await principals.create({ name: 'app' }, key('A1'));
    const end = clock + 1_000;
    await expect(principals.addAccessKey('app', key('A2'), end)).resolves.toBe('done');
    expect(await keysOf(store, 'app')).toEqual([
      ['A1', end],
      ['A2', null],
    ]);
    await expect(principals.addAccessKey('app', key('A3'), end + 1_000)).resolves.toBe('full');
    expect(await keysOf(store, 'app')).toEqual([
      ['A1', end],
      ['A2', null],
    ]);
    clock = end;
    await expect(principals.addAccessKey('app', key('A3'), end + 1_000)).resolves.toBe('done');
    expect(await keysOf(store, 'app')).toEqual([
      ['A2', end + 1_000],
      ['A3', null],
    ]);
  });

  it('do not get back by a longer grace what ends sooner', async () => {
    const store = await withRoot();
    const { principals } = store;
    await principals.create({ name: 'app' });
    await principals.addAccessKey('app', key('A1'), clock + 1_000);
    await expect(principals.addAccessKey('app', key('A2'), clock + 2_000)).resolves.toBe('done');
    const [[, end] = []] = (await keysOf(store, 'app')) ?? [];
    await expect(principals.addAccessKey('app', key('A3'))).resolves.toBe('done');
    expect(end).toBeGreaterThan(clock);
  });

  it('have two access keys at most, also when they are rotated at once', async () => {
    const store = await withRoot();
    await store.principals.create({ name: 'app' }, key('A0'));
    const tries = ['A1', 'A2', 'A3', 'A4'].map((id) =>
      store.principals.addAccessKey('app', key(id), clock + 1_000_000),
    );
    expect((await Promise.all(tries)).sort()).toEqual(['done', 'full', 'full', 'full']);
    expect(await keysOf(store, 'app')).toHaveLength(2);
  });

  it('have policies by name, ten at most, as they were attached', async () => {
    const { principals } = await withRoot();
    await principals.create({ name: 'app' });
    await principals.create({ name: 'other' });
    for (let count = 0; count < 10; count++) {
      await expect(principals.attachPolicy('App', `p${count}`, `{ "ü":\t${count} }`)).resolves.toBe('done');
    }
    await expect(principals.attachPolicy('app', 'more', '{}')).resolves.toBe('full');
    await expect(principals.attachPolicy('app', 'p3', '{"new":1}')).resolves.toBe('done');
    await expect(principals.attachPolicy('nobody', 'p', '{}')).resolves.toBe('missing');
    await expect(principals.detachPolicy('APP', 'p0')).resolves.toBe(true);
    await expect(principals.detachPolicy('app', 'p0')).resolves.toBe(false);
    await expect(principals.detachPolicy('other', 'p1')).resolves.toBe(false);
    const policies = (await principals.find('app'))?.policies.map(({ name, document }) => [name, document]);
    expect(policies).toHaveLength(9);
    expect(policies?.slice(0, 3)).toEqual([
      ['p1', '{ "ü":\t1 }'],
      ['p2', '{ "ü":\t2 }'],
      ['p3', '{"new":1}'],
    ]);
    expect(await principals.find('other')).toMatchObject({ policies: [] });
  });
});
