import { assertNoRepeats } from '../../../src/access/policy-json';

describe('a member that is there twice', () => {
  it.each([
    ['an element', '{"Statement":{"Effect":"Deny","Effect":"Allow"}}', 'Effect'],
    [
      'an operator',
      '{"Condition":{"StringEquals":{"a:b":"1"},"Bool":{},"StringEquals" : {"a:c":"2"}}}',
      'StringEquals',
    ],
    ['a key', '{"StringEquals":{"a:b":"1","a:b":"2"}}', 'a:b'],
    ['one of them escaped', '{"a:b":1,"a\\u003ab":2}', 'a:b'],
    ['with a quote in it', '{"a\\"":1,"a\\"":2}', 'a"'],
  ])('is refused: %s', (_what, text, name) => {
    JSON.parse(text);
    expect(() => assertNoRepeats(text)).toThrow(`The policy has the member "${name}" twice in one place.`);
  });

  it.each([
    ['in two places', '{"Statement":[{"Effect":"Allow"},{"Effect":"Deny"}],"Effect":{"Effect":1}}'],
    ['as a value', '{"a":"a","b":["a","a"]}'],
    ['inside a value', '{"a":"{\\"a\\":1,\\"a\\":2}"}'],
    ['in other letters', '{"Effect":1,"effect":2}'],
  ])('is none %s', (_what, text) => {
    JSON.parse(text);
    expect(() => assertNoRepeats(text)).not.toThrow();
  });
});
