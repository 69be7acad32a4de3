import {
  days,
  instant,
  jsonArray,
  jsonObject,
  queueNamesOrAll,
  seconds,
  text,
  wholeNumber,
} from '#option-parsers'

describe('numbers', () => {
  it('of seconds and days are milliseconds, fractions too', () => {
    expect(seconds('--interval')('0.25')).toBe(250)
    expect(seconds('--interval')('.5')).toBe(500)
    expect(seconds('--interval')('1e1')).toBe(10_000)
    expect(days('--min-age-days')('14')).toBe(1_209_600_000)
  })

  it.each(['', ' ', '1s', '0x10', '1,5', 'NaN', 'Infinity', '-0.1', '1e999'])(
    '%j are no seconds',
    (written) => {
      expect(() => seconds('--interval')(written)).toThrow(
        `argument --interval: expected a number of seconds, 0 or more, got '${written}'.`,
      )
    },
  )

  it('reach the ends of their range, and no further', () => {
    const priority = wholeNumber('--priority', { least: -100, most: 100 })

    expect([priority('-100'), priority('+100')]).toEqual([-100, 100])
    for (const written of ['-101', '101', '3.1', '1e-1'])
      expect(() => priority(written)).toThrow('a whole number from -100 to 100')
  })
})

describe('names', () => {
  it('of queues have commas between them and blanks around', () => {
    expect(queueNamesOrAll('--queue-name')(' default, mail ')).toEqual(['default', 'mail'])
  })

  it('with a * among them mean all', () => {
    expect(queueNamesOrAll('--queue-name')('default, *')).toBe('*')
  })

  it.each(['', 'a,,b', 'a,', "a'b", 'a;b', 'q'.repeat(33)])('%j are refused', (written) => {
    expect(() => queueNamesOrAll('--queue-name')(written)).toThrow(
      'argument --queue-name: expected a queue name of 1 to 32 letters',
    )
  })

  it('are no option whose value was forgotten', () => {
    expect(() => text('--worker-id')('--batch')).toThrow(
      "argument --worker-id: expected a value, got '--batch'.",
    )
  })
})

describe('a time', () => {
  it.each([
    ['+30s', 30_000],
    ['5m', 300_000],
    ['+2h', 7_200_000],
    ['+1.5d', 129_600_000],
  ])('%s is that long from now', (written, wait) => {
    const left = instant('--run-after')(written).getTime() - Date.now()

    expect(left).toBeGreaterThan(wait - 1_000)
    expect(left).toBeLessThanOrEqual(wait)
  })

  it.each([
    ['2030-01-31T18:00:00Z', '2030-01-31T18:00:00.000Z'],
    ['2030-01-31 18:00:00.5+05:30', '2030-01-31T12:30:00.500Z'],
    ['2030-01-31', '2030-01-31T00:00:00.000Z'],
  ])('%s is read', (written, iso) => {
    expect(instant('--run-after')(written).toISOString()).toBe(iso)
  })

  it('without a zone is local', () => {
    expect(instant('--run-after')('2030-01-31T18:00')).toEqual(new Date(2030, 0, 31, 18))
  })

  it.each(['tomorrow', '1735689600', '31.1.2030', '2030-13-01', '2030-01-31T25:00Z', '-5m', '+5'])(
    '%s is none',
    (written) => {
      expect(() => instant('--run-after')(written)).toThrow(
        `argument --run-after: expected a time such as 2030-01-31T18:00:00Z or a delay such as +30s, +5m, +2h, +1d, got '${written}'.`,
      )
    },
  )
})

describe('JSON', () => {
  it('arrays and objects are taken as they are', () => {
    expect(jsonArray('args')('[1, "a", null]')).toEqual([1, 'a', null])
    expect(jsonObject('--kwargs')('{"a": [1]}')).toEqual({ a: [1] })
  })

  it.each(['42', '[1', 'null', '{}', ''])('%j is no array', (written) => {
    expect(() => jsonArray('args')(written)).toThrow(
      `argument args: expected a JSON array such as '[42, "warm"]' in single quotes, got '${written}'.`,
    )
  })

  it.each(['[]', 'null', '{a: 1}'])('%j is no object', (written) => {
    expect(() => jsonObject('--kwargs')(written)).toThrow(
      'argument --kwargs: expected a JSON object',
    )
  })
})
