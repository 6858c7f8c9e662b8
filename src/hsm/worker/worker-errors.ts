import type { StartFailure, TokenFault } from '../jobs';
import type { TokenReport } from '../report';

/** Why this worker cannot begin, in words for the operator. */
export class StartFailed extends Error {
  constructor(
    readonly failure: StartFailure,
    message: string,
    readonly details: { readonly fault?: TokenFault; readonly report?: TokenReport } = {},
  ) {
    super(message);
  }
}

/** The token went away in the middle of a job: this process cannot be trusted with its handles any more. */
export class TokenLost extends Error {
  constructor(readonly fault: TokenFault) {
    super(fault.message);
  }
}
