import { Polling } from '#intake'
import type { Outcome } from '#lib/store'

const INTERVAL = 1_000

function delaysAfter(polling: Polling, idle: number): number[] {
  return Array.from({ length: idle }, () => {
    polling.end([], 10, 0)
    return polling.delay(INTERVAL)
  })
}

it('an idle worker polling once an interval', () => {
  const polling = new Polling()

  expect(delaysAfter(polling, 3)).toEqual([INTERVAL, INTERVAL, INTERVAL])
})

it('after work it polling soon, then ever later, up to its interval', () => {
  const polling = new Polling()
  polling.end([], 10, 3)

  expect(polling.delay(INTERVAL)).toBe(10)
  expect(delaysAfter(polling, 8)).toEqual([20, 40, 80, 160, 320, 640, INTERVAL, INTERVAL])
})

it('what it is told counts like work, until it has asked', () => {
  const polling = new Polling()
  polling.wake()

  expect({ isWoken: polling.isWoken, delay: polling.delay(INTERVAL) }).toEqual({
    isWoken: true,
    delay: 10,
  })
  polling.begin()
  polling.end([], 10, 0)
  expect({ isWoken: polling.isWoken, delay: polling.delay(INTERVAL) }).toEqual({
    isWoken: false,
    delay: 20,
  })
})

it('what is told while it asks is not forgotten, nor what the same exchange makes READY', () => {
  const retry: Outcome = {
    key: 'a',
    claims: 1,
    status: 'READY',
    errors: [{ exceptionClassPath: 'Error', traceback: 'Error\n' }],
    delay: 0,
  }
  const [woken, retried] = [new Polling(), new Polling()]

  woken.begin()
  woken.wake()
  woken.end([], 10, 0)
  retried.begin()
  retried.end([retry], 10, 0)

  expect([woken.isWoken, retried.isWoken]).toEqual([true, true])
})

it('an exchange that asked for no rows says nothing of idleness', () => {
  const polling = new Polling()
  polling.end([], 10, 3)
  polling.end([], 0, 0)

  expect(polling.delay(INTERVAL)).toBe(10)
})
