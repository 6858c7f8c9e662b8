/** The condition operators of IAM's policy grammar, and what values each can compare. */
import { isIP } from 'node:net';

type ValueCheck = (text: string) => boolean;

const anyText: ValueCheck = () => true;
const number: ValueCheck = (text) => /^[+-]?\d+(\.\d+)?$/.test(text);
const truth: ValueCheck = (text) => /^(true|false)$/i.test(text);
const base64: ValueCheck = (text) => Buffer.from(text, 'base64').toString('base64') === text;

const W3C_DATE = /^\d{4}(-\d\d(-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d))?)?)?$/;
/** W3C's profile of ISO 8601, or seconds since 1970. */
const date: ValueCheck = (text) =>
  /^\d+$/.test(text) || (W3C_DATE.test(text) && !Number.isNaN(Date.parse(text)));

/** An address, or a range as address and prefix length. */
const addresses: ValueCheck = (text) => {
  const [address = '', length, ...rest] = text.split('/');
  const version = isIP(address);
  if (version === 0 || rest.length > 0) return false;
  return length === undefined || (/^\d{1,3}$/.test(length) && Number(length) <= (version === 4 ? 32 : 128));
};

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
