/** Whether the conditions of a statement hold for a request. */
import { type AccessRequest, valuesOf } from './access-request';
import { matchesArn } from './arn-pattern';
import type { ConditionOperator } from './condition-operators';
import { readBinary, readDate, readNumber, readTruth } from './condition-value';
import { isWithin, readIpRange } from './ip-range';
import type { Condition, Effect, PolicyVersion } from './policy-document';
import { type Expanded, expandVariables } from './policy-variables';
import { matchesWildcards } from './wildcards';

/** Whether a value of the request matches one of the policy's; undefined if it cannot be compared with it. */
type Match = (value: string, listed: Expanded) => boolean | undefined;

interface Comparison {
  readonly matches: Match;
  /** Holds for what matches none. */
  readonly negated: boolean;
}

const typed =
  <T>(read: (text: string) => T | undefined, matches: (value: T, listed: T) => boolean): Match =>
  (text, listed) => {
    const value = read(text);
    const other = read(listed.text);
    return value === undefined || other === undefined ? undefined : matches(value, other);
  };

const is = (matches: Match): Comparison => ({ matches, negated: false });
const isNot = (matches: Match): Comparison => ({ matches, negated: true });

const equal: Match = (value, { text }) => value === text;
const equalIgnoringCase: Match = (value, { text }) => value.toLowerCase() === text.toLowerCase();
const like: Match = (value, { text, literals }) => matchesWildcards(text, value, literals);
const likeArn: Match = (value, listed) => matchesArn(listed, value);
const equalNumber = typed(readNumber, (value, listed) => value === listed);
const equalDate = typed(readDate, (value, listed) => value === listed);
const inRange = typed(readIpRange, isWithin);

const COMPARISONS: Readonly<Record<Exclude<ConditionOperator, 'Null'>, Comparison>> = {
  StringEquals: is(equal),
  StringNotEquals: isNot(equal),
  StringEqualsIgnoreCase: is(equalIgnoringCase),
  StringNotEqualsIgnoreCase: isNot(equalIgnoringCase),
  StringLike: is(like),
  StringNotLike: isNot(like),
  NumericEquals: is(equalNumber),
  NumericNotEquals: isNot(equalNumber),
  NumericLessThan: is(typed(readNumber, (value, listed) => value < listed)),
  NumericLessThanEquals: is(typed(readNumber, (value, listed) => value <= listed)),
  NumericGreaterThan: is(typed(readNumber, (value, listed) => value > listed)),
  NumericGreaterThanEquals: is(typed(readNumber, (value, listed) => value >= listed)),
  DateEquals: is(equalDate),
  DateNotEquals: isNot(equalDate),
  DateLessThan: is(typed(readDate, (value, listed) => value < listed)),
  DateLessThanEquals: is(typed(readDate, (value, listed) => value <= listed)),
  DateGreaterThan: is(typed(readDate, (value, listed) => value > listed)),
  DateGreaterThanEquals: is(typed(readDate, (value, listed) => value >= listed)),
  Bool: is(typed(readTruth, (value, listed) => value === listed)),
  BinaryEquals: is(typed(readBinary, (value, listed) => value === listed)),
  IpAddress: is(inRange),
  NotIpAddress: isNot(inRange),
  ArnEquals: is(likeArn),
  ArnLike: is(likeArn),
  ArnNotEquals: isNot(likeArn),
  ArnNotLike: isNot(likeArn),
};

/**
 * Whether a condition of a statement holds. What is in doubt goes against the caller: a value that cannot be
 * compared, and one of several where the condition is about one, is enough to deny and too much to allow.
 */
export function conditionHolds(
  condition: Condition,
  { effect, version }: { readonly effect: Effect; readonly version: PolicyVersion },
  request: AccessRequest,
): boolean {
  const { operator, set, ifExists, key } = condition;
  const values = valuesOf(request, key.toLowerCase()) ?? [];
  if (operator === 'Null')
    return condition.values.some((value) => readTruth(value) === (values.length === 0));
  const comparison = COMPARISONS[operator];
  const listed = listedValues(condition, version, request);
  // What a variable without a value would exclude is not known.
  if (comparison.negated && listed.length < condition.values.length) return effect === 'Deny';
  if (values.length === 0) {
    return set ? set === 'ForAllValues' : ifExists || comparison.negated;
  }
  const holdsFor = (value: string) => holdsForOne(value, comparison, listed, effect);
  const needsOne = set ? set === 'ForAnyValue' : effect === 'Deny';
  return needsOne ? values.some(holdsFor) : values.every(holdsFor);
}

/** Those without variables that have no value. */
function listedValues({ values }: Condition, version: PolicyVersion, request: AccessRequest): Expanded[] {
  const listed: Expanded[] = [];
  for (const value of values) {
    const expanded = expandVariables(value, version, request);
    if (expanded) listed.push(expanded);
  }
  return listed;
}

function holdsForOne(
  value: string,
  { matches, negated }: Comparison,
  listed: readonly Expanded[],
  effect: Effect,
): boolean {
  for (const one of listed) {
    const isMatch = matches(value, one);
    if (isMatch === undefined) return effect === 'Deny';
    if (isMatch) return !negated;
  }
  return negated;
}
