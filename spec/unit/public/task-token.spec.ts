import { InvalidCallError, taskToken, verifyTaskToken } from 'typeorm-tasks'

const secret = 'a'.repeat(32)
const other = 'b'.repeat(32)
const id = '01981c1e-7c2a-7b3c-8d4e-5f6071829304'
const hour = 3_600_000

afterEach(() => {
  jest.useRealTimers()
})

it('gives the id of the task that it was made for, and goes into an URL as it is', () => {
  const token = taskToken({ id }, { secret, for: hour })
  expect(verifyTaskToken(token, { secret })).toBe(id)
  expect(encodeURIComponent(token)).toBe(token)
})

it('holds for its time, and no longer', () => {
  jest.useFakeTimers({ now: 1_000_000 })
  const token = taskToken({ id }, { secret, for: 10 })
  jest.setSystemTime(1_000_009)
  expect(verifyTaskToken(token, { secret })).toBe(id)
  jest.setSystemTime(1_000_010)
  expect(verifyTaskToken(token, { secret })).toBeNull()
})

it('is null for another secret, for each changed character, and for what is no token', () => {
  const token = taskToken({ id }, { secret, for: hour })
  expect(verifyTaskToken(token, { secret: other })).toBeNull()
  for (let at = 0; at < token.length; at++) {
    const changed = `${token.slice(0, at)}${token[at] === 'A' ? 'B' : 'A'}${token.slice(at + 1)}`
    expect(verifyTaskToken(changed, { secret })).toBeNull()
  }
  for (const given of [undefined, null, 1, {}, [token], '', '.', 'a.b', 'x'.repeat(100_000)])
    expect(verifyTaskToken(given, { secret })).toBeNull()
})

it('secrets can be changed: the first signs, each is accepted', () => {
  const before = taskToken({ id }, { secret, for: hour })
  const after = taskToken({ id }, { secret: [other, secret], for: hour })
  expect(verifyTaskToken(before, { secret: [other, secret] })).toBe(id)
  expect(verifyTaskToken(after, { secret: other })).toBe(id)
  expect(verifyTaskToken(after, { secret })).toBeNull()
})

it.each([[''], ['short'], [[]], [[secret, 'short']], [undefined], [7]])(
  'refuses the secret %j, and does not repeat it',
  (given) => {
    const options = { secret: given as string, for: hour }
    const refused = (call: () => unknown): void => {
      expect(call).toThrow(InvalidCallError)
      expect(call).not.toThrow(/short/)
      expect(call).toThrow(/at least 32 characters.*openssl rand/)
    }
    refused(() => taskToken({ id }, options))
    refused(() => verifyTaskToken('a.b', options))
  },
)

it.each([[0], [-1], [Number.NaN], [Number.POSITIVE_INFINITY], ['1h'], [undefined]])(
  'refuses the time %p',
  (ms) => {
    expect(() => taskToken({ id }, { secret, for: ms as number })).toThrow(/milliseconds above 0/)
  },
)
