import { log, setLogger } from '#logger'
import { Signal, type TaskEvent } from '#signals'
import { catchLog } from '../support/tasks'

afterEach(() => setLogger())

it('F72 keeps one event on one line, whatever names and messages hold', () => {
  const lines = catchLog()

  log.warn('name\nTask id=forged\r\u001b[31m\u0000\u2028end')

  expect(lines).toEqual([['warn', 'name\\u000aTask id=forged\\u000d\\u001b[31m\\u0000\\u2028end']])
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
