import { REDACTED, Redaction } from '../../../dashboard/security/redact'

const redacted = (value: unknown, keys: (RegExp | string)[] = []): unknown =>
  new Redaction({ keys }).value(value)

describe('secrets of a task', () => {
  it.each([
    'password',
    'dbPasswd',
    'client_secret',
    'accessToken',
    'Authorization',
    'api-key',
    'apiKey',
    'private_key',
    'Set-Cookie',
    'credentials',
    'PIN',
  ])('are what a key named %s holds', (name) => {
    expect(redacted({ [name]: 'hunter22' })).toEqual({ [name]: REDACTED })
  })

  it.each(['pinned', 'compass', 'author', 'keyboard', 'monkey'])(
    'are not what a key named %s holds',
    (name) => {
      expect(redacted({ [name]: 'plain' })).toEqual({ [name]: 'plain' })
    },
  )

  it('are found at any depth, in lists, and in JSON inside texts', () => {
    const inner = JSON.stringify([{ deep: { token: 'abcdef' } }])
    const found = redacted({ a: [{ b: { password: { of: ['x'] } } }], body: ` ${inner}` })
    expect(JSON.stringify(found)).not.toMatch(/abcdef|"x"/)
    expect(found).toMatchObject({ a: [{ b: { password: REDACTED } }] })
  })

  it('are passwords in addresses, wherever they stand', () => {
    expect(
      redacted(['see postgres://app:s3cr3t@db:5432/x?y', 'http://host:80/@']) as string[],
    ).toEqual([`see postgres://app:${REDACTED}@db:5432/x?y`, 'http://host:80/@'])
  })

  it('are replaced in a traceback that quotes them, but not what is too short to be one', () => {
    const redaction = new Redaction({ keys: ['iban', /^x-/g] })
    redaction.value({ IBAN: 'DE02120300000000202051', 'x-pin': 12, 'x-code': 123_456, token: true })
    expect(redaction.text('no DE02120300000000202051, 12, 123456, true')).toBe(
      `no ${REDACTED}, 12, ${REDACTED}, true`,
    )
    expect(redacted([{ 'x-a': 1 }, { 'x-a': 1 }], [/^x-/g])).toEqual([
      { 'x-a': REDACTED },
      { 'x-a': REDACTED },
    ])
  })

  it('leave other values as they are, also null in their place and keys of any name', () => {
    const value = JSON.parse('{"__proto__":{"x":1},"constructor":[1,null,"[no json"],"token":null}')
    expect(JSON.stringify(redacted(value))).toBe(JSON.stringify(value))
    expect(({} as Record<string, unknown>)['x']).toBeUndefined()
  })

  it('are not looked for without end', () => {
    let deep: unknown = { password: 'hunter22' }
    for (let i = 0; i < 10_000; i++) deep = [deep]
    expect(JSON.stringify(redacted(deep))).not.toContain('hunter22')
  })
})
