import { setTimeout as sleep } from 'node:timers/promises'

/** Asks again and again until it is so; gives up after `bound` milliseconds and says what it waited for. Gives how long it took. */
export async function until(
  isSo: () => boolean | Promise<boolean>,
  bound: number,
  what: () => string | Promise<string>,
): Promise<number> {
  const start = performance.now()
  while (!(await isSo())) {
    if (performance.now() - start > bound)
      throw new Error(`Waited ${bound} ms in vain for ${await what()}`)
    await sleep(25)
  }
  return performance.now() - start
}
