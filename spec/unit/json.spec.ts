import { runInNewContext } from 'node:vm'
import { NotSerializableError } from '#errors'
import {
  encodeArguments,
  encodeJson,
  encodeReturnValue,
  MAX_JSON_BYTES,
  MAX_JSON_DEPTH,
} from '#json'

class Point {
  x = 1
}
class Later {
  // oxlint-disable-next-line unicorn/no-thenable -- as query builders are
  then(): void {}
}
class Sum {
  cents = 1
  toJSON(): string {
    return '0.01'
  }
}

/** What JSON cannot carry, or not to every database: the path of it and the hint. */
const refused: [string, unknown, string][] = [
  ['a Date', { when: new Date(0) }, 'value.when: Date; pass when.toISOString()'],
  ['a Map', [new Map()], 'value[0]: Map; pass Object.fromEntries(value[0])'],
  ['a Set', { ids: new Set([1]) }, 'value.ids: Set; pass [...ids]'],
  ['a bigint', 1n, 'value: bigint; pass it as text: value.toString()'],
  ['NaN', { a: [Number.NaN] }, 'value.a[0]: NaN; pass null or a finite number'],
  ['Infinity', Number.POSITIVE_INFINITY, 'value: Infinity; pass null or a finite number'],
  ['a function', { run: () => 1 }, 'value.run: function; pass plain data'],
  ['a symbol', [Symbol('s')], 'value[0]: symbol; pass text'],
  ['undefined in a list', [1, undefined], 'value[1]: undefined; pass null'],
  ['a hole in a list', [1, , 3], 'value[1]: undefined; pass null'], // oxlint-disable-line no-sparse-arrays
  ['undefined itself', undefined, 'value: undefined; pass null'],
  [
    'an instance of a class',
    { at: new Point() },
    'value.at: Point; pass a plain object: { ...at }',
  ],
  [
    'an Error',
    { why: new TypeError('no') },
    'value.why: TypeError; pass String(why), or { name: why.name, message: why.message }',
  ],
  ['a Buffer', Buffer.from('a'), "value: Buffer; pass base64 text: value.toString('base64')"],
  ['bytes', new Uint8Array(1), 'value: Uint8Array; pass base64 text: Buffer.from(value)'],
  [
    'an ArrayBuffer',
    new ArrayBuffer(1),
    'value: ArrayBuffer; pass base64 text: Buffer.from(value)',
  ],
  ['numbers in memory', { at: new Float64Array(1) }, 'value.at: Float64Array; pass [...at]'],
  ['bigints in memory', new BigInt64Array(1), 'pass texts: Array.from(value, String)'],
  ['a RegExp', /a/, 'value: RegExp; pass value.source'],
  ['a URL', new URL('https://a.b'), 'value: URL; pass value.href'],
  ['a query', new URLSearchParams('a=b'), 'value: URLSearchParams; pass String(value)'],
  ['a promise', Promise.resolve(1), 'value: Promise; await it: await value'],
  ['what is like a promise', new Later(), 'value: Later; await it: await value'],
  ['what has a toJSON', { sum: new Sum() }, 'value.sum: Sum; pass sum.toJSON()'],
  ['what has no data of its own', new WeakMap(), 'value: WeakMap; pass plain data'],
  ['a generator', (function* () {})(), 'pass [...value]'],
  ['a number in an object', Object(1), 'value: Number; pass value.valueOf()'],
  ['no date', new Date(Number.NaN), 'value: Date; pass null, since it is not a valid date'],
  ['an object made from another', Object.create({ inherited: 1 }), 'value: Object;'],
  [
    'text with \\u0000',
    { 'a b': 'x\u0000y' },
    `value["a b"]: text with \\u0000; remove it: text.replaceAll('\\u0000', '')`,
  ],
  ['a key with \\u0000', { 'x\u0000': 1 }, 'the key "x\\u0000" of value: text with \\u0000;'],
  [
    'half a surrogate pair',
    ['\ud83d'],
    'value[0]: text with half of a surrogate pair; use text.toWellFormed()',
  ],
  [
    'a key named __proto__',
    JSON.parse('{"__proto__": 1}'),
    'value: a key named __proto__; rename the key',
  ],
  [
    'an object that contains itself',
    cycle(),
    'value.self.list[0]: a cycle; pass an id in place of the object',
  ],
  [
    'a value nested too deep',
    nested(MAX_JSON_DEPTH + 1),
    `nested deeper than ${MAX_JSON_DEPTH} levels; flatten the value`,
  ],
]

it.each(refused)('refuses %s, with its path and what to do', (_, value, told) => {
  expect(() => encodeJson(value, 'value')).toThrow(NotSerializableError)
  expect(() => encodeJson(value, 'value')).toThrow(told)
})

const taken: [string, unknown, string][] = [
  ['plain values', { a: [1, -0.5, 'x', true, null] }, '{"a":[1,-0.5,"x",true,null]}'],
  ['a property that is undefined, by leaving it out', { a: undefined, b: 1 }, '{"b":1}'],
  ['an object without a prototype', Object.create(null), '{}'],
  ['-0 as 0', -0, '0'],
  ['an object of another realm', runInNewContext('({ a: [1] })'), '{"a":[1]}'],
  ['one object in two places', twice(), '[{"a":1},{"a":1}]'],
  [
    'as many levels as are allowed',
    nested(MAX_JSON_DEPTH),
    `${'['.repeat(MAX_JSON_DEPTH)}${']'.repeat(MAX_JSON_DEPTH)}`,
  ],
  ['control characters but \\u0000', '\u0001\u007f\u2028', '"\\u0001\u007f\u2028"'],
]

it.each(taken)('takes %s', (_, value, text) => {
  expect(encodeJson(value, 'value')).toBe(text)
})

it('refuses more than a megabyte, counted in bytes', () => {
  const most = 'ü'.repeat(MAX_JSON_BYTES / 2 - 1)

  expect(encodeJson(most, 'value')).toHaveLength(MAX_JSON_BYTES / 2 + 1)
  expect(() => encodeJson(`${most}x`, 'return value')).toThrow(
    `return value is ${MAX_JSON_BYTES + 1} bytes of JSON; the limit is ${MAX_JSON_BYTES}. Store the data elsewhere and pass a reference to it.`,
  )
})

it('names the argument at fault', () => {
  expect(() => encodeArguments([1, { when: new Date(0) }], {}, 'a.b')).toThrow(
    'Task "a.b", args[1].when: Date; pass when.toISOString()',
  )
  expect(() => encodeArguments([], { to: [1n] }, 'a.b', 2)).toThrow(
    'Task "a.b", call 2, kwargs.to[0]: bigint',
  )
})

it('leaves out arguments that were not given at the end, but not in between', () => {
  expect(encodeArguments([1, undefined, undefined], {}, 'a.b')).toBe('{"args": [1], "kwargs": {}}')
  expect(encodeArguments([undefined], {}, 'a.b')).toBe('{"args": [], "kwargs": {}}')
  expect(() => encodeArguments([undefined, 1], {}, 'a.b')).toThrow('args[0]: undefined; pass null')
})

it.each([
  [undefined, null],
  [null, null],
  [0, '0'],
  [false, 'false'],
  ['', '""'],
  ['null', '"null"'],
])('stores the return value %p as %p', (value, text) => {
  expect(encodeReturnValue(value, 'a.b')).toBe(text)
})

it('says what is wrong with what only looks like a value', () => {
  const revoked = Proxy.revocable({}, {})
  revoked.revoke()

  expect(() =>
    encodeJson(
      {
        get broken() {
          throw new Error('getter')
        },
      },
      'value',
    ),
  ).toThrow('getter')
  expect(() => encodeJson(revoked.proxy, 'value')).toThrow(TypeError)
})

it('a value with itself in many places is refused for its size, at once', () => {
  const shared = Array.from({ length: 27 }).reduce<unknown>((inner) => [inner, inner], 1)
  const before = performance.now()

  expect(() => encodeJson({ shared }, 'args')).toThrow(
    `args is more than ${MAX_JSON_BYTES} bytes of JSON; the limit is ${MAX_JSON_BYTES}.`,
  )
  expect(performance.now() - before).toBeLessThan(3_000)
})

function cycle(): object {
  const value: { self?: { list: unknown[] } } = {}
  value.self = { list: [value] }
  return value
}

function twice(): unknown {
  const one = { a: 1 }
  return [one, one]
}

function nested(depth: number): unknown[] {
  return depth === 1 ? [] : [nested(depth - 1)]
}
