import type { Problem } from '../../../lib/backend'
import type { Seen } from './seen'

/** The oldest Redis that BullMQ advises, and that has all commands which scripts of ours use. */
const OLDEST = '6.2.0'
/** Difference of the clocks that is not reported, in milliseconds. */
const TOLERANCE_MS = 1_000

/** Problems of which server it is, and in which state. */
export function serverProblems(seen: Seen, asCluster: boolean, subject: string): Problem[] {
  const { info, where } = seen
  const mode = info('redis_mode')
  if (mode === 'sentinel')
    return [
      error(
        `${subject}, ${where} is a Sentinel, which holds no data.`,
        "Write { sentinels: [{ host, port }], name: 'mymaster' } as OPTIONS.connection.",
      ),
    ]
  return [
    tooOld(seen, subject),
    mode === 'cluster' && !asCluster
      ? error(
          `${subject}, ${where} is a node of a Redis Cluster, and OPTIONS.connection says nothing of a cluster.`,
          'Write { cluster: { nodes: [...] } }, and a part of OPTIONS.prefix in braces.',
        )
      : undefined,
    info('role') === 'slave'
      ? error(
          `${subject}, ${where} is a replica of ${info('master_host') ?? '?'}:${info('master_port') ?? '?'}, which takes no writes.`,
          'Give OPTIONS.connection the Sentinels, or the address of the master.',
        )
      : undefined,
    info('loading') === '1'
      ? error(`${subject}, ${where} reads its file after a start.`, 'Wait for it.')
      : undefined,
    clockProblem(seen, subject),
  ].filter((problem) => problem !== undefined)
}

/** The server that another one has forked off says of itself which Redis it is like. */
function tooOld({ info, where }: Seen, subject: string): Problem | undefined {
  const version = info('redis_version')
  if (version === undefined || !isBefore(version, OLDEST)) return undefined
  return error(
    `${subject}, ${where} is Redis ${version}, which is too old: tasks need Redis ${OLDEST.slice(0, -2)} or later, or Valkey.`,
    'Move to a later Redis.',
  )
}

/** Whether a version comes before another one, by their numbers. */
export function isBefore(version: string, other: string): boolean {
  const [left, right] = [version, other].map((each) =>
    each.split('.').map((part) => parseInt(part, 10) || 0),
  )
  for (const [at, wanted] of (right ?? []).entries()) {
    const has = left?.[at] ?? 0
    if (has !== wanted) return has < wanted
  }
  return false
}

function clockProblem({ aheadMs, where }: Seen, subject: string): Problem | undefined {
  if (Math.abs(aheadMs) <= TOLERANCE_MS) return undefined
  const seconds = (Math.abs(aheadMs) / 1000).toFixed(1)
  return {
    level: 'warning',
    message: `${subject}: the clock of ${where} is ${seconds} s ${aheadMs > 0 ? 'ahead of' : 'behind'} the clock of this host, by which delays and runAfter go.`,
    hint: 'Let both hosts ask a time server (NTP).',
  }
}

function error(message: string, hint: string): Problem {
  return { level: 'error', message, hint }
}
