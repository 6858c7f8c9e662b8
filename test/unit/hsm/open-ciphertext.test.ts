import { KmsError } from '../../../src/errors';
import { invalidCiphertext as wordsOfTheWorker } from '../../../src/hsm/worker/jobs/open-ciphertext';
import { invalidCiphertext as wordsOfTheDomain } from '../../../src/kms/ciphertext';

it('a tag that does not fit gets the words that a malformed ciphertext gets', () => {
  const [tag, format] = [wordsOfTheWorker(), wordsOfTheDomain()];
  for (const error of [tag, format]) {
    expect(error).toBeInstanceOf(KmsError);
    expect(error.code).toBe('INVALID_CIPHERTEXT');
    expect(error.cause).toBeUndefined();
  }
  expect(tag.message).toBe(format.message);
});
