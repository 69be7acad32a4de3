import { runInNewContext } from 'node:vm'
import { InvalidTaskError } from '#errors'
import { headline, MAX_TRACEBACK, recordOf } from '#error-record'

it("keeps an error's class and its whole stack, ending with a newline as Python's tracebacks do", () => {
  const error = new RangeError('too far')

  expect(recordOf(error)).toEqual({
    exceptionClassPath: 'RangeError',
    traceback: `${error.stack}\n`,
  })
})

it("names the library's own errors so that they can be told apart", () => {
  expect(recordOf(new InvalidTaskError('What happened.', 'What to do.'))).toEqual({
    exceptionClassPath: 'typeorm_tasks.InvalidTaskError',
    traceback: expect.stringMatching(/^InvalidTaskError: What happened\. What to do\.\n/) as string,
  })
})

it('tells the causes of an error, each with its stack', () => {
  const error = new Error('outer', { cause: new TypeError('inner', { cause: 'a text' }) })

  expect(recordOf(error).traceback).toMatch(
    /^Error: outer\n[\s\S]*\nCaused by: TypeError: inner\n[\s\S]*\nCaused by: Thrown, though no Error: a text\n$/,
  )
})

it('shows the parts that can be read of an error whose other parts cannot', () => {
  const broken = (part: string, descriptor: PropertyDescriptor): string => {
    const error = new RangeError('too far')
    void error.stack // made when first asked for
    return recordOf(Object.defineProperty(error, part, descriptor)).traceback
  }
  const get = (): never => {
    throw new Error('no')
  }

  expect(broken('name', { value: Symbol('odd') })).toMatch(/^RangeError: too far\n +at /)
  expect(broken('name', { get })).toMatch(/^RangeError: too far\n +at /)
  expect(broken('message', { get })).toMatch(/^RangeError: too far\n +at /)
  expect(broken('stack', { get })).toBe('RangeError: too far\n')
  const stackless = Object.defineProperty(new RangeError('too far'), 'stack', { get })
  Object.defineProperty(stackless, 'name', { value: Symbol('odd') })
  expect(recordOf(stackless).traceback).toBe('Symbol(odd): too far\n')
  Object.defineProperty(stackless, 'message', { get })
  expect(recordOf(stackless)).toEqual({
    exceptionClassPath: 'RangeError',
    traceback: 'Symbol(odd): its message cannot be read\n',
  })
})

it('shows a message that was changed after the error was made', () => {
  const error = new Error('first')
  void error.stack // made when first asked for
  error.message = 'second'

  expect(recordOf(error).traceback).toMatch(/^Error: second\nError: first\n/)
})

it.each([
  [
    'RangeError: too far\n    at run (app.js:1:2)\nCaused by: TypeError: inner\n',
    'RangeError: too far',
  ],
  [
    'Traceback (most recent call last):\n  File "tasks.py", line 3, in add\n    return a + b\nTypeError: no sum\n',
    'TypeError: no sum',
  ],
  ['', ''],
])(
  'finds the line that says what failed in a traceback of JavaScript and of Python: %j',
  (traceback, line) => {
    expect(headline({ exceptionClassPath: 'x', traceback })).toBe(line)
  },
)

class Hostile {
  toString(): string {
    throw new Error('no text')
  }
  toJSON(): string {
    throw new Error('no JSON')
  }
}

class CustomError extends Error {}

const cyclic: { self?: unknown } = {}
cyclic.self = cyclic
const cyclicError = new Error('round')
cyclicError.cause = cyclicError
const frozen = Object.freeze(new Error('frozen'))
const revoked = Proxy.revocable(new Error('revoked'), {})
revoked.revoke()
const nameless = Object.assign(new Error('x'), { name: undefined, stack: undefined })

const thrown: [string, unknown, string, string][] = [
  ['a text', 'just a text', 'Error', 'Thrown, though no Error: just a text'],
  ['undefined', undefined, 'Error', 'Thrown, though no Error: undefined'],
  ['null', null, 'Error', 'Thrown, though no Error: null'],
  ['a number', 7, 'Error', 'Thrown, though no Error: 7'],
  ['a symbol', Symbol('why'), 'Error', 'Thrown, though no Error: Symbol(why)'],
  ['an object', { code: 7 }, 'Object', 'Thrown, though no Error: {"code":7}'],
  ['an object that cannot be shown', new Hostile(), 'Hostile', 'An error that cannot be shown'],
  ['an object that contains itself', cyclic, 'Object', 'An error that cannot be shown'],
  ['an object without a prototype', Object.create(null), 'Error', 'Thrown, though no Error: {}'],
  ['an error that causes itself', cyclicError, 'Error', 'Error: round'],
  ['a frozen error', frozen, 'Error', 'Error: frozen'],
  ['a revoked proxy', revoked.proxy, 'Error', 'An error that cannot be shown'],
  ['an error of a class of its own', new CustomError('own'), 'CustomError', 'own'],
  [
    'an error of another realm',
    runInNewContext('new TypeError("far away")'),
    'TypeError',
    'TypeError: far away\n    at ',
  ],
  ['an error without name and stack', nameless, 'Error', 'x'],
  [
    'an error with \\u0000 and half a surrogate pair',
    new Error('a\u0000b\ud83d'),
    'Error',
    'Error: a\\u0000b\ufffd',
  ],
]

it.each(thrown)('describes whatever was thrown: %s', (_, error, exceptionClassPath, shown) => {
  const record = recordOf(error)

  expect(record.exceptionClassPath).toBe(exceptionClassPath)
  expect(record.traceback).toContain(shown)
  expect(record.traceback).toMatch(/\n$/)
})

it('cuts a message of megabytes and says how long it was', () => {
  const { traceback } = recordOf(new Error('x'.repeat(5_000_000)))

  expect(traceback.length).toBeLessThan(MAX_TRACEBACK + 100)
  expect(traceback).toMatch(/^Error: xxx[\s\S]*\n… cut, 500\d{4} characters in all\n$/)
})

describe('something thrown that is small, and long to write', () => {
  const shared = Array.from({ length: 40 }).reduce<unknown>((inner) => [inner, inner], 1)
  const large: [string, unknown, string][] = [
    ['bytes', new Uint8Array(50_000_000), '[object Uint8Array], 50000000 bytes'],
    ['an object with bytes', { data: new Uint8Array(50_000_000) }, '50000000 bytes'],
    ['a list with itself in many places', shared, '[object Array], too large to be shown'],
    [
      'a list of millions',
      Array.from({ length: 5_000_000 }, () => 1),
      '[object Array], too large to be shown',
    ],
  ]
  it.each(large)('is recorded without: %s', (_, thing, shown) => {
    const before = performance.now()
    expect(recordOf(thing).traceback).toContain(shown)
    expect(recordOf(new Error('why', { cause: thing })).traceback).toContain(shown)
    expect(performance.now() - before).toBeLessThan(2_000)
  })
})

it('does not split a pair of surrogates where it cuts', () => {
  expect(
    recordOf(
      `${'x'.repeat(MAX_TRACEBACK - 1 - 'Thrown, though no Error: '.length)}😀`,
    ).traceback.isWellFormed(),
  ).toBe(true)
})
