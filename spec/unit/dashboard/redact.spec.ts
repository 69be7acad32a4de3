import { REDACTED, Redaction, UNCHECKED } from '../../../dashboard/security/redact'

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
    'pass',
    'smtp_pass',
    'dbPass',
    'pass-word',
    'jwt',
    'cvv',
    'DSN',
    'accessKey',
    'sessionId',
  ])('are what a key named %s holds', (name) => {
    expect(redacted({ [name]: 'hunter22' })).toEqual({ [name]: REDACTED })
  })

  it.each(['pinned', 'compass', 'bypass', 'author', 'keyboard', 'monkey', 'passenger'])(
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

  it.each([
    ['smtp://bob@x.com:HUNTER2@host', `smtp://bob@x.com:${REDACTED}@host`],
    ['postgres://app:HUN/TER@host/db', `postgres://app:${REDACTED}@host/db`],
    ['postgres://app:HUN@TER@host/db', `postgres://app:${REDACTED}@host/db`],
    ['postgres://app:HUN:TER@host/db', `postgres://app:${REDACTED}@host/db`],
    ['redis://:HUNTER@host', `redis://:${REDACTED}@host`],
    ['POSTGRES://app:HUNTER@host', `POSTGRES://app:${REDACTED}@host`],
    ['https://ghp_HUNTER2345678901234@host/x', `https://${REDACTED}@host/x`],
    ['a://b:HUNTER@c,d://e:HUNTER@f', `a://b:${REDACTED}@c,d://e:${REDACTED}@f`],
    ['https://u:HUNTER@host/@scope/x', `https://u:${REDACTED}@host/@scope/x`],
    ['https://x/?a=1&token=HUNTER&b=2', `https://x/?a=1&token=${REDACTED}&b=2`],
    ['Authorization: Bearer HUNTER', `Authorization: ${REDACTED}`],
    ['sent Bearer HUNTER2X to it', `sent Bearer ${REDACTED} to it`],
    ['DB_PASSWORD=HUNTER x', `DB_PASSWORD=${REDACTED} x`],
    ["{ password: 'HUN\\'TER', a: 1 }", `{ password: '${REDACTED}', a: 1 }`],
    ['body: {"password":"HUN\\"TER","a":1}', `body: {"password":"${REDACTED}","a":1}`],
    ['\ufeff{"password":"HUNTER"}', `{"password":"${REDACTED}"}`],
    ['{"pin":"HUNTER"}\n{"pin":"HUNTER"}', `{"pin":"${REDACTED}"}\n{"pin":"${REDACTED}"}`],
    ['said: "{\\"password\\":\\"HUNTER\\",', `said: "{\\"password\\":\\"${REDACTED}\\",`],
    ['sent {"password":{"of":["HUNTER"]}}', `sent {"password":${REDACTED}`],
    ['{"password":"HUNTER","password":1}', `{"password":"${REDACTED}"}`],
    ['{"x":{"password":"HUNTER"},"x":1}', `{"x":{"password":"${REDACTED}"},"x":1}`],
  ])('are those that a text tells by its form: %s', (text, shown) => {
    expect(redacted(text)).toBe(shown)
  })

  it.each([
    'http://localhost:4873/@scope/name',
    'https://x.com/a:b@c',
    'ssh://git@host/x',
    'TokenExpiredError: jwt expired',
    'at tokenOf (/app/token.ts:12:3)',
    'if (token === undefined) Token::find',
    'a: 1, b = 2, ://, @',
  ])('are not in every text: %s', (text) => {
    expect(redacted(text)).toBe(text)
  })

  it('are found in JSON that is a text in JSON, in pairs of name and value, and in names', () => {
    const inJson = JSON.stringify(JSON.stringify({ password: 'HUNTER2' }))
    expect(redacted(inJson)).toBe(JSON.stringify(JSON.stringify({ password: REDACTED })))
    expect(
      redacted([{ name: 'password', value: 'HUNTER2' }, [['token', 'HUNTER2']], { HUNTER2: 1 }]),
    ).toEqual([{ name: 'password', value: REDACTED }, [['token', REDACTED]], { [REDACTED]: 1 }])
    expect(redacted([{ name: 'ann', value: 'x' }, ['a', 'b']])).toEqual([
      { name: 'ann', value: 'x' },
      ['a', 'b'],
    ])
  })

  it('are replaced wherever they are quoted: before their key, escaped, encoded, and cut', () => {
    const password = 'p"a\\ss\nwörd and more'
    const redaction = new Redaction({ keys: [] })
    expect(
      redaction.value([`first ${password}`, { password }, { dsn: 'a://b:HUNTER2@c' }]),
    ).toEqual([`first ${REDACTED}`, { password: REDACTED }, { dsn: REDACTED }])
    const json = JSON.stringify(password)
    for (const quoted of [password, json, JSON.stringify(json), encodeURIComponent(password)])
      expect(redaction.text(`not with ${quoted}, HUNTER2`)).not.toMatch(/ss|rd|HUNTER2/)
    const half = `x ${password.slice(0, 12)}\n… cut, 70000 characters in all\n`
    expect(redaction.text(half)).toBe(`x ${REDACTED}\n… cut, 70000 characters in all\n`)
  })

  it('are replaced where they stand alone, if they are short, and not at all under 4 characters', () => {
    const redaction = new Redaction({ keys: [] })
    expect(redaction.value({ pin: 1234, password: 'abcde', cvv: '123', n: [1234, 123] })).toEqual({
      pin: REDACTED,
      password: REDACTED,
      cvv: REDACTED,
      n: [1234, 123],
    })
    expect(redacted([{ otp: 123_456 }, 123_456])).toEqual([{ otp: REDACTED }, REDACTED])
    expect(redaction.text('no 1234/abcde: 51234, abcdef, 123')).toBe(
      `no ${REDACTED}/${REDACTED}: 51234, abcdef, 123`,
    )
  })

  it('may overlap', () => {
    expect(
      redacted([{ secret: ['abcdefgh', 'efghijkl', 'abcdefghij'] }, '<abcdefghijkl>']),
    ).toEqual([{ secret: REDACTED }, `<${REDACTED}>`])
  })

  it('hide each text of which it cannot be told within bounds that it quotes none', () => {
    const many = Array.from({ length: 40_000 }, (_, i) => `word${i}`)
    const documents = Array.from({ length: 8_000 }, (_, i) => `document ${i}`)
    const redaction = new Redaction({ keys: [] })
    expect(redaction.value([{ tokens: many, documents, n: 7 }])).toEqual([
      { tokens: REDACTED, documents: documents.map(() => UNCHECKED), n: 7 },
    ])
    expect(redaction.text('Error: word77')).toBe(UNCHECKED)
    expect(redacted(['x'.repeat(9_000_000), 'plain'])).toEqual([UNCHECKED, UNCHECKED])
    expect(redacted({ tokens: many.slice(0, 9_000), text: 'word77 is word8999x' })).toEqual({
      tokens: REDACTED,
      text: `${REDACTED} is ${REDACTED}x`,
    })
  })

  it.each<[string, () => unknown]>([
    ['many', () => [{ tokens: many((i) => `word${i}`, 9_000) }, many((i) => `w ${i}`, 60_000)]],
    ['alike', () => [{ tokens: many((i) => 'a'.repeat(400) + i, 1_000) }, 'a'.repeat(600_000)]],
    ['none, in JSON', () => JSON.stringify(many((id) => ({ id, name: 'ann' }), 30_000))],
    ['none, but many names', () => Object.fromEntries(many((i) => [`key${i}`, i], 60_000))],
    ['in addresses', () => '://'.repeat(333_000)],
    ['in users', () => `a://${':@'.repeat(500_000)}`],
    ['in quotes', () => 'password="'.repeat(100_000)],
    ['behind backslashes', () => `password="${'\\"'.repeat(500_000)}`],
    ['nested', () => many(() => '['.repeat(16_000), 60)],
    ['of bearers', () => 'bearer '.repeat(140_000)],
  ])('take a time that grows with the row alone: %s', (_what, make) => {
    const value = make()
    const { user } = process.cpuUsage()
    redacted(value)
    // Some 50 ms where nobody else is at work.
    expect((process.cpuUsage().user - user) / 1_000).toBeLessThan(1_000)
  })
})

function many<T>(make: (i: number) => T, length: number): T[] {
  return Array.from({ length }, (_, i) => make(i))
}
