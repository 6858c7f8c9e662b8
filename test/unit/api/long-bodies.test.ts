import { createLongBodies } from '../../../src/api/long-bodies';

describe('room for long bodies', () => {
  it('is for so many at a time, and is there again once one has ended', () => {
    const bodies = createLongBodies(2);
    const [one, two, three] = [bodies.room(), bodies.room(), bodies.room()];
    expect([one.take(), two.take(), three.take()]).toEqual([true, true, false]);
    one.giveBack();
    expect(three.take()).toBe(true);
  });

  it('is taken once by a request, however often it asks, and given back once', () => {
    const bodies = createLongBodies(2);
    const [one, two, three] = [bodies.room(), bodies.room(), bodies.room()];
    expect([one.take(), one.take(), two.take()]).toEqual([true, true, true]);
    one.giveBack();
    one.giveBack();
    expect(three.take()).toBe(true);
    expect(bodies.room().take()).toBe(false);
  });

  it('is not given back by a request that had none', () => {
    const bodies = createLongBodies(1);
    const [one, two] = [bodies.room(), bodies.room()];
    one.take();
    two.giveBack();
    expect(two.take()).toBe(false);
  });
});
