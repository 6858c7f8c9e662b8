import * as random from '../../../kms/random';
import { operation } from '../operation';
import { countOf } from '../parameters';

export const generateRandom = operation({
  name: 'GenerateRandom',
  note: "From the token's generator; 1 to 1024 bytes",
  async run(kms, call, request) {
    return { Random: await random.generateRandom(kms, call, { bytes: countOf('Length', request) }) };
  },
});
