import { clock } from '../../../lib/clock'

/** What databases answer when others were in the way: the same statement may well succeed a moment later. */
const CONTENTION = new Set([
  '40001',
  '40P01',
  '55P03',
  'ER_LOCK_DEADLOCK',
  'ER_LOCK_WAIT_TIMEOUT',
  'ER_CHECKREAD',
])

const PATIENCE = 30_000
const SLOWEST = 100

/**
 * Runs `work` until nobody is in its way. SQLite's driver is asked not to wait, since it would block the whole
 * process while it does; the waiting happens here, where tasks can go on.
 */
export async function patiently<T>(work: () => Promise<T>): Promise<T> {
  const deadline = clock.now() + PATIENCE
  for (let pause = 2; ; pause = Math.min(SLOWEST, pause * 1.5)) {
    try {
      return await work()
    } catch (error) {
      if (!isContention(error) || clock.now() > deadline) throw error
      await clock.sleep(pause * (0.5 + Math.random()))
    }
  }
}

/** The driver's own error code, wherever TypeORM put it. */
export function codeOf(error: unknown): string {
  if (typeof error !== 'object' || error === null) return ''
  const { code, driverError } = error as { code?: unknown; driverError?: unknown }
  return typeof code === 'string' ? code : codeOf(driverError)
}

/** Whether others were in the way, and nothing else is wrong. */
export function isContention(error: unknown): boolean {
  const code = codeOf(error)
  return CONTENTION.has(code) || code.startsWith('SQLITE_BUSY') || code.startsWith('SQLITE_LOCKED')
}
