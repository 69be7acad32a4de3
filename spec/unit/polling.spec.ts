import { Looks } from '#polling'
import type { Outcome } from '#lib/store'

const INTERVAL = 1_000

function patienceAfter(looks: Looks, idle: number): number[] {
  return Array.from({ length: idle }, () => {
    looks.end([], 10, 0)
    return looks.patience(INTERVAL)
  })
}

it('an idle worker looks once an interval', () => {
  const looks = new Looks()

  expect(patienceAfter(looks, 3)).toEqual([INTERVAL, INTERVAL, INTERVAL])
})

it('after work it looks soon, then ever later, up to its interval', () => {
  const looks = new Looks()
  looks.end([], 10, 3)

  expect(looks.patience(INTERVAL)).toBe(10)
  expect(patienceAfter(looks, 8)).toEqual([20, 40, 80, 160, 320, 640, INTERVAL, INTERVAL])
})

it('what it is told counts like work, until it has asked', () => {
  const looks = new Looks()
  looks.tell()

  expect({ isTold: looks.isTold, patience: looks.patience(INTERVAL) }).toEqual({
    isTold: true,
    patience: 10,
  })
  looks.begin()
  looks.end([], 10, 0)
  expect({ isTold: looks.isTold, patience: looks.patience(INTERVAL) }).toEqual({
    isTold: false,
    patience: 20,
  })
})

it('what is told while it asks is not forgotten, nor what the same exchange makes READY', () => {
  const retry: Outcome = {
    key: 'a',
    claims: 1,
    status: 'READY',
    error: { exceptionClassPath: 'Error', traceback: 'Error\n' },
    delay: 0,
  }
  const [told, retried] = [new Looks(), new Looks()]

  told.begin()
  told.tell()
  told.end([], 10, 0)
  retried.begin()
  retried.end([retry], 10, 0)

  expect([told.isTold, retried.isTold]).toEqual([true, true])
})

it('an exchange that asked for no rows says nothing of idleness', () => {
  const looks = new Looks()
  looks.end([], 10, 3)
  looks.end([], 0, 0)

  expect(looks.patience(INTERVAL)).toBe(10)
})
