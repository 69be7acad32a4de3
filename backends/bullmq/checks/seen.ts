import type { Redis, RedisOptions } from 'ioredis'

/** What a server says of itself. */
export interface Seen {
  /** `host:port`, the path of a socket, or what Sentinels call it. */
  readonly where: string
  /** A line of INFO; undefined: it has none of the name, or INFO is forbidden. */
  readonly info: (name: string) => string | undefined
  /** A setting; undefined: CONFIG is forbidden, as with services that manage Redis. */
  readonly setting: (name: string) => string | undefined
  /** How many milliseconds its clock is ahead of that of this host, at least. */
  readonly aheadMs: number
}

const SETTINGS = ['save', 'appendfsync'] as const

/** Asks a server. What it forbids to ask is left out. */
export async function seenOf(node: Redis): Promise<Seen> {
  const info = linesOf(await node.info().catch(forbidden))
  const settings = new Map<string, string>()
  for (const name of SETTINGS) {
    const [, value] = (await node.config('GET', name).catch(forbidden)) as string[] | ''
    if (value !== undefined) settings.set(name, value)
  }
  return {
    where: whereIs(node.options),
    info: (name) => info.get(name),
    setting: (name) => settings.get(name),
    aheadMs: await aheadOf(node),
  }
}

function whereIs({ sentinels, name, path, host, port }: RedisOptions): string {
  return sentinels ? `the master "${name}"` : (path ?? `${host}:${port}`)
}

/** An answer of Redis itself, that this may not be asked; what else fails, fails the look. */
function forbidden(error: unknown): '' {
  const { message } = error as Error
  if (/^(NOPERM|ERR)\b/.test(message)) return ''
  throw error
}

function linesOf(text: string): Map<string, string> {
  const lines = text.split(/\r?\n/).filter((line) => line.includes(':'))
  return new Map(
    lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]),
  )
}

/** The answer was given between question and answer: only what is outside of that is a difference. */
async function aheadOf(node: Redis): Promise<number> {
  const asked = Date.now()
  const [seconds, micros] = (await node.time().catch(forbidden)) || []
  const answered = Date.now()
  if (seconds === undefined) return 0
  const now = Number(seconds) * 1000 + Number(micros ?? 0) / 1000
  if (now > answered) return Math.round(now - answered)
  return now < asked ? Math.round(now - asked) : 0
}
