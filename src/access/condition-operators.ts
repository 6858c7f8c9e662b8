/** The condition operators of IAM's policy grammar, and what values each can compare. */
import { readBinary, readDate, readNumber, readTruth } from './condition-value';
import { readIpRange } from './ip-range';

type ValueCheck = (text: string) => boolean;

const anyText: ValueCheck = () => true;
const number: ValueCheck = (text) => readNumber(text) !== undefined;
const truth: ValueCheck = (text) => readTruth(text) !== undefined;
const base64: ValueCheck = (text) => readBinary(text) !== undefined;
const date: ValueCheck = (text) => readDate(text) !== undefined;
const addresses: ValueCheck = (text) => readIpRange(text) !== undefined;

const CHECKS = {
  StringEquals: anyText,
  StringNotEquals: anyText,
  StringEqualsIgnoreCase: anyText,
  StringNotEqualsIgnoreCase: anyText,
  StringLike: anyText,
  StringNotLike: anyText,
  NumericEquals: number,
  NumericNotEquals: number,
  NumericLessThan: number,
  NumericLessThanEquals: number,
  NumericGreaterThan: number,
  NumericGreaterThanEquals: number,
  DateEquals: date,
  DateNotEquals: date,
  DateLessThan: date,
  DateLessThanEquals: date,
  DateGreaterThan: date,
  DateGreaterThanEquals: date,
  Bool: truth,
  BinaryEquals: base64,
  IpAddress: addresses,
  NotIpAddress: addresses,
  ArnEquals: anyText,
  ArnLike: anyText,
  ArnNotEquals: anyText,
  ArnNotLike: anyText,
  Null: truth,
} as const satisfies Record<string, ValueCheck>;

export type ConditionOperator = keyof typeof CHECKS;

/** A condition operator as it is written in a policy. */
export interface WrittenOperator {
  readonly operator: ConditionOperator;
  /** How a request's several values are compared; absent where it has one. */
  readonly set?: 'ForAllValues' | 'ForAnyValue';
  /** Holds also where the request has no such key. */
  readonly ifExists: boolean;
}

const WRITTEN = /^(?:(ForAllValues|ForAnyValue):)?([A-Za-z]+?)(IfExists)?$/;

const isOperator = (text: string): text is ConditionOperator => Object.hasOwn(CHECKS, text);

/** Reads an operator with its prefix and suffix; undefined if there is no such operator. */
export function parseOperator(text: string): WrittenOperator | undefined {
  const [, set, operator = '', suffix] = WRITTEN.exec(text) ?? [];
  if (!isOperator(operator)) return undefined;
  const ifExists = suffix !== undefined;
  // Null asks whether the key exists.
  if (operator === 'Null' && ifExists) return undefined;
  return { operator, ...(set && { set: set as 'ForAllValues' | 'ForAnyValue' }), ifExists };
}

/** Whether an operator can compare with this value. */
export const isComparable = (operator: ConditionOperator, value: string): boolean => CHECKS[operator](value);
