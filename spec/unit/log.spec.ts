import { log, setLogger } from '#logger'
import { Signal, type TaskEvent } from '#signals'
import { catchLog } from '../support/tasks'

afterEach(() => setLogger())

it('F72 keeps one event on one line, whatever names and messages hold', () => {
  const lines = catchLog()

  log.warn('name\nTask id=forged\r\u001b[31m\u0000\u2028end')

  expect(lines).toEqual([['warn', 'name\\u000aTask id=forged\\u000d\\u001b[31m\\u0000\\u2028end']])
})

it('shows characters that hide text or turn its direction, and leaves those of languages and emoji', () => {
  const lines = catchLog()

  log.warn('\u202egnp\u202c \u200b\u00ad\u061c\u180e\u{e0041}\ud83c')
  log.warn('עברית 日本 é 👍🏽 ❤️')

  expect(lines.map(([, line]) => line)).toEqual([
    '\\u202egnp\\u202c \\u200b\\u00ad\\u061c\\u180e\\udb40\\udc41\\ud83c',
    'עברית 日本 é 👍🏽 ❤️',
  ])
})

it.each([
  ['postgres://bob:s3cret@db/app', 'postgres://bob:***@db/app'],
  ['at "postgres://bob:p@ss@db/app", so', 'at "postgres://bob:***@db/app", so'],
  ['mysql://bob@realm:p@s:s/w@db:3306/app', 'mysql://bob@realm:***@db:3306/app'],
  ['postgres://:p@ss@db', 'postgres://:***@db'],
  ['host=db password=s3cret dbname=app', 'host=db password=*** dbname=app'],
  [
    'postgres://db/app?user=bob&password=s3cret&ssl=true',
    'postgres://db/app?user=bob&password=***&ssl=true',
  ],
  ['postgres://bob@db:5432/app', 'postgres://bob@db:5432/app'],
  [
    'at file:///app/node_modules/x.js:10:5 of a@b.c',
    'at file:///app/node_modules/x.js:10:5 of a@b.c',
  ],
  [
    'at file:///C:/app/node_modules/@scope/x.js:10:5',
    'at file:///C:/app/node_modules/@scope/x.js:10:5',
  ],
  ['https://example.com/docs: ask me@example.com', 'https://example.com/docs: ask me@example.com'],
])('hides the whole password, whatever is in it: %s', (written, expected) => {
  const lines = catchLog()

  log.error(written)

  expect(lines).toEqual([['error', expected]])
})

it('hides passwords in long lines in a time that grows with their length', () => {
  const lines = catchLog()
  const begun = performance.now()

  for (const part of ['a://b:', 'a://b:c@', 'password=', '@']) log.error(part.repeat(2 ** 17))

  expect(lines).toHaveLength(4)
  expect(performance.now() - begun).toBeLessThan(4_000)
})

it('writes warnings and errors to the console, and no more, until a logger is set', () => {
  const written: string[] = []
  const spies = (['debug', 'info', 'log', 'warn', 'error'] as const).map((level) =>
    jest
      .spyOn(console, level)
      .mockImplementation((...given: unknown[]) => void written.push([level, ...given].join(' '))),
  )

  for (const level of ['debug', 'info', 'warn', 'error'] as const) log[level]('line')
  setLogger(console)
  log.info('line')
  for (const spy of spies) spy.mockRestore()

  expect(written).toEqual(['warn line', 'error line', 'info line'])
})

it('calls each listener until it is disconnected, in the order they came', () => {
  const signal = new Signal('spec')
  const heard: string[] = []
  expect(signal.isHeard).toBe(false)
  const first = signal.connect(() => heard.push('first'))
  const second = signal.connect(() => heard.push('second'))

  signal.send({} as TaskEvent)
  first()
  signal.send({} as TaskEvent)

  expect(heard).toEqual(['first', 'second', 'second'])
  expect(signal.isHeard).toBe(true)
  second()
  expect(signal.isHeard).toBe(false)
})

it('takes a logger whose info is called log, such as that of Nest, with its methods bound or not', () => {
  const written: string[] = []
  class NestLogger {
    readonly #context = 'Tasks'
    log(message: unknown, ...rest: unknown[]): void {
      written.push(`log [${this.#context}] ${String(message)}${rest.length}`)
    }
    error(message: unknown, stack?: string): void
    error(message: unknown, ...rest: unknown[]): void {
      written.push(`error [${this.#context}] ${String(message)}${rest.length}`)
    }
    warn(message: unknown): void {
      written.push(`warn [${this.#context}] ${String(message)}`)
    }
    debug?(message: unknown, context?: string): void
  }
  setLogger(new NestLogger())

  for (const level of ['debug', 'info', 'warn', 'error'] as const) log[level]('line')

  expect(written).toEqual(['log [Tasks] line0', 'warn [Tasks] line', 'error [Tasks] line0'])
})
