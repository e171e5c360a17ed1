import { Decimal128, Double, Int32, Long } from 'bson';
import { toFraction } from '../bson/compare';
import { type Numeric, toNumber } from '../bson/types';
import { badValue } from '../errors';

const INT_LIMIT = 2n ** 31n;
const LONG_LIMIT = 2n ** 63n;

/** Arithmetic with MongoDB's types: int grows to long, anything with a double is a double, a long that overflows fails. */
export function combine(operation: 'add' | 'multiply', a: Numeric, b: Numeric): Numeric {
  if (a instanceof Decimal128 || b instanceof Decimal128) return combineDecimals(operation, a, b);
  if (isDouble(a) || isDouble(b)) {
    const [x, y] = [toNumber(a), toNumber(b)];
    return new Double(operation === 'add' ? x + y : x * y);
  }
  const [x, y] = [toBigInt(a), toBigInt(b)];
  const result = operation === 'add' ? x + y : x * y;
  if (result >= LONG_LIMIT || result < -LONG_LIMIT) {
    throw badValue(
      `Failed to apply $${operation === 'add' ? 'inc' : 'mul'} operations to current value: the result overflows a 64-bit integer`,
    );
  }
  return integer(result, a instanceof Long || b instanceof Long);
}

const isDouble = (value: Numeric): boolean =>
  value instanceof Double || (typeof value === 'number' && !Number.isSafeInteger(value));

export function toBigInt(value: Numeric): bigint {
  return value instanceof Long ? value.toBigInt() : BigInt(toNumber(value));
}

export function integer(value: bigint, long: boolean): Int32 | Long {
  return long || value >= INT_LIMIT || value < -INT_LIMIT ? Long.fromBigInt(value) : new Int32(Number(value));
}

const DECIMAL_DIGITS = 34;

/** Exact where 34 digits hold the result, else rounded half to even. */
function combineDecimals(operation: 'add' | 'multiply', a: Numeric, b: Numeric): Decimal128 {
  const [x, y] = [toNumber(a), toNumber(b)];
  if (!Number.isFinite(x) || !Number.isFinite(y))
    return Decimal128.fromString(String(operation === 'add' ? x + y : x * y));
  const [an, ad] = toFraction(a);
  const [bn, bd] = toFraction(b);
  const [numerator, denominator] = operation === 'add' ? [an * bd + bn * ad, ad * bd] : [an * bn, ad * bd];
  return Decimal128.fromString(decimalText(numerator, denominator));
}

function decimalText(numerator: bigint, denominator: bigint): string {
  const sign = numerator < 0n ? '-' : '';
  let digits = numerator < 0n ? -numerator : numerator;
  let rest = denominator;
  let exponent = 0;
  // Denominators are powers of two and ten, so the loop ends, exactly or at the precision decimals have.
  while (digits % rest !== 0n && String(digits / rest).length <= DECIMAL_DIGITS) {
    digits *= 10n;
    exponent--;
  }
  let value = digits / rest;
  rest = 10n;
  while (String(value).length > DECIMAL_DIGITS) {
    const [quotient, remainder] = [value / rest, value % rest];
    value = quotient + (remainder > 5n || (remainder === 5n && quotient % 2n === 1n) ? 1n : 0n);
    exponent++;
  }
  return `${sign}${value}E${exponent}`;
}
