import { dashed, hexOf, instantOf, NO_DELAY, utcText } from '#formats'

describe('utcText', () => {
  test('is Django\'s text for "no delay"', () => {
    expect(utcText(NO_DELAY)).toBe('9999-01-01 00:00:00')
  })

  test('has six digits of fraction, or none when it is zero', () => {
    expect(utcText(new Date('2026-01-02T03:04:05.678Z'))).toBe('2026-01-02 03:04:05.678000')
    expect(utcText(new Date('2026-01-02T03:04:05.007Z'))).toBe('2026-01-02 03:04:05.007000')
    expect(utcText(new Date('2026-01-02T03:04:05Z'))).toBe('2026-01-02 03:04:05')
  })
})

describe('instantOf', () => {
  test.each([
    ['2026-01-02 03:04:05', '2026-01-02T03:04:05.000Z'],
    ['2026-01-02 03:04:05.6', '2026-01-02T03:04:05.600Z'],
    ['2026-01-02 03:04:05.678901', '2026-01-02T03:04:05.678Z'],
    ['2026-01-02T03:04:05Z', '2026-01-02T03:04:05.000Z'],
    ['2026-01-02T03:04:05.678901Z', '2026-01-02T03:04:05.678Z'],
    ['2026-01-02 03:04:05+05:30', '2026-01-01T21:34:05.000Z'],
    ['2026-01-02 03:04:05.5-0330', '2026-01-02T06:34:05.500Z'],
    ['2026-01-02 03:04:05+00', '2026-01-02T03:04:05.000Z'],
    ['9999-01-01 00:00:00', '9999-01-01T00:00:00.000Z'],
    ['2026-01-02', '2026-01-02T00:00:00.000Z'],
  ])('reads %s as UTC unless it names a zone', (text, iso) => {
    expect(instantOf(text)?.toISOString()).toBe(iso)
  })

  test.each([
    '',
    'soon',
    '1790000000',
    '2026-13-01 00:00:00',
    '0000-00-00 00:00:00',
    '2026-01-02 25:00:00',
    '2026-01-02 03:04:05 CET',
  ])('gives null for %p', (text) => {
    expect(instantOf(text)).toBeNull()
  })
})

describe('ids', () => {
  const uuid = '0190b6a0-1111-7abc-8000-0123456789ab'
  const hex = '0190b6a011117abc80000123456789ab'

  test('have a dashed and a hex form, both in lower case', () => {
    expect([hexOf(uuid), hexOf(uuid.toUpperCase()), hexOf(hex)]).toEqual([hex, hex, hex])
    expect([dashed(hex), dashed(hex.toUpperCase()), dashed(uuid)]).toEqual([uuid, uuid, uuid])
  })

  test.each(['job-1', '', '01ARZ3NDEKTSV4RRFFQ69G5FAV', `${'0'.repeat(31)}g`])(
    'stay as they are when they are no UUID: %p',
    (text) => {
      expect([hexOf(text), dashed(text)]).toEqual([text, text])
    },
  )
})
