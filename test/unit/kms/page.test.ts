import { pageOf } from '../../../src/kms/page';

describe('pageOf', () => {
  const page = (found: readonly string[]) => pageOf(found, 2, (last) => `after ${last}`);

  it('has no marker where all was found', () => {
    expect(page([])).toEqual({ items: [] });
    expect(page(['a'])).toEqual({ items: ['a'] });
    expect(page(['a', 'b'])).toEqual({ items: ['a', 'b'] });
  });

  it('marks its own last item where there is more', () => {
    expect(page(['a', 'b', 'c'])).toEqual({ items: ['a', 'b'], nextMarker: 'after b' });
  });
});
