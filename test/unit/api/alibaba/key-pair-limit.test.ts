import { createKeyPairLimit } from '../../../../src/api/alibaba/key-pair-limit';
import { codeOf } from '../../kms/fixture';

/** Work that goes on until it is told to end. */
function endless() {
  let end = () => {};
  const work = () =>
    new Promise<void>((resolve) => {
      end = resolve;
    });
  return { work, end: () => end() };
}

describe('the limit of key pairs at a time', () => {
  it('refuses one too many at once, and none once there is room', async () => {
    const limited = createKeyPairLimit(2);
    const [one, other] = [endless(), endless()];
    const both = [limited(one.work), limited(other.work)];
    expect(await codeOf(limited(async () => 'a third'))).toBe('THROTTLED');
    one.end();
    await both[0];
    expect(await limited(async () => 'a third')).toBe('a third');
    other.end();
    await both[1];
  });

  it('is none where there is no setting', async () => {
    const limited = createKeyPairLimit();
    const many = Array.from({ length: 1_000 }, endless);
    const all = many.map(({ work }) => limited(work));
    for (const { end } of many) end();
    await Promise.all(all);
  });
});
