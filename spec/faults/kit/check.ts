import type { Allowed, Change, FinalRow, History, RowState, TaskEvent } from './history'

/** How long after the end of its lease a row may still stand as RUNNING: lease, rescue and a look, with these specs' settings. */
const TAKEOVER = 7_000
/** Clocks of databases tell milliseconds or microseconds, at the statement's start or as it goes. */
const TICK = 5

const LOST = 'typeorm_tasks.WorkerLost'

/**
 * Holds a history against the promises of the library and gives each breach as one line; none: all held.
 *
 * I1 every committed task is there, in one state, and none that was rolled back · I2 one end for each task, written by the claim
 * whose result it is · I3 no two runs hold a row at once · I4 attempts are runs · I5 states go forward only · I6 times are in
 * order, and no row is left to a lease that ended. I7 (connections, transactions, exit codes) is for the scenario: see `Field`.
 */
export function check(
  history: History,
  rows: readonly FinalRow[],
  allowed: Allowed = {},
): string[] {
  const tampered = new Set(allowed.tampered)
  const sound = { ...history, changes: history.changes.filter(({ id }) => !tampered.has(id)) }
  const untouched = rows.filter(({ id }) => !tampered.has(id))
  const changes = changesByRow(sound)
  return [
    ...existence(history, rows, allowed),
    ...oneEnd(sound, untouched, allowed),
    ...oneHolder(sound),
    ...attempts(sound, changes, untouched, allowed),
    ...untouched.flatMap((row) => forward(row, changes.get(row.id) ?? [], allowed)),
    ...untouched.flatMap((row) => inTime(row, history, allowed)),
  ]
}

/** I1 */
function existence(
  { enqueued, undone, events }: History,
  rows: readonly FinalRow[],
  { tampered = [], unsure = false }: Allowed,
): string[] {
  const there = new Set(rows.map(({ id }) => id))
  const [gone, back] = [new Set(tampered), new Set(undone)]
  const known = new Set([
    ...enqueued,
    ...tampered,
    ...events.filter(({ event }) => event === 'enqueued').map(({ note = '' }) => note),
  ])
  return [
    ...[...known]
      .filter((id) => !there.has(id) && !gone.has(id))
      .map((id) => `I1: ${id} was enqueued and is gone`),
    ...undone.filter((id) => there.has(id)).map((id) => `I1: ${id} was rolled back and is there`),
    ...(unsure
      ? []
      : rows
          .filter(({ id }) => !known.has(id) && !back.has(id))
          .map(({ id }) => `I1: ${id} is there and nobody enqueued it`)),
    ...twice(rows.map(({ id }) => id)).map((id) => `I1: ${id} is there twice`),
  ]
}

/** I2 */
function oneEnd(
  history: History,
  rows: readonly FinalRow[],
  { retried = false }: Allowed,
): string[] {
  const ends = history.changes.filter(
    ({ before, after }) => after && isEnd(after) && !(before && isEnd(before)),
  )
  return [
    ...(retried
      ? []
      : twice(ends.map(({ id }) => id)).map((id) => `I2: ${id} ended more than once`)),
    ...rows.filter((row) => isEnd(row)).flatMap((row) => ownEnd(row)),
  ]
}

/** The tasks of these specs return, and throw, the claim that they ran under. */
function ownEnd({ id, claims, status, returnValue, error, traceback }: FinalRow): string[] {
  const claim =
    status === 'SUCCESSFUL'
      ? claimIn(returnValue)
      : error.startsWith('typeorm_tasks.')
        ? undefined
        : /\bclaim (\d+)\b/.exec(traceback)?.[1]
  return claim === undefined || claim === String(claims)
    ? []
    : [`I2: ${id} holds what claim ${claim} came to, though claim ${claims} held the row`]
}

function claimIn(value: unknown): string | undefined {
  return typeof value === 'object' && value !== null && 'claim' in value
    ? JSON.stringify(value.claim)
    : undefined
}

/** I3 */
function oneHolder({ changes, ledger, events }: History): string[] {
  const starts = events
    .filter(({ event }) => event === 'start')
    .map(({ id, claim }) => `${id} claim ${claim}`)
  return [
    ...changes.flatMap(stolen),
    ...twice(starts).map((run) => `I3: ${run} started twice`),
    ...twice(ledger.map(({ id, claim }) => `${id} claim ${claim}`)).map(
      (run) => `I3: ${run} is in the ledger twice`,
    ),
  ]
}

function stolen({ id, at, before, after }: Change): string[] {
  if (before?.status !== 'RUNNING' || !after) return []
  if (after.status === 'RUNNING' && after.claims !== before.claims)
    return [`I3: ${id} went from claim ${before.claims} to ${after.claims} while it ran`]
  const isTakenOver =
    after.error === LOST ||
    (after.errors.length > before.errors.length && after.errors.at(-1) === LOST)
  if (!isTakenOver) return []
  if (before.leaseUntil === null) return [`I3: ${id} was taken over, though nobody of ours held it`]
  return before.leaseUntil > at + TICK
    ? [`I3: ${id} was taken over ${Math.round(before.leaseUntil - at)} ms before its lease ended`]
    : []
}

/** I4 */
function attempts(
  { events }: History,
  changesOf: ReadonlyMap<string, readonly Change[]>,
  rows: readonly FinalRow[],
  { unstarted = false }: Allowed,
): string[] {
  const runs = runsByRow(events)
  return rows.flatMap((row) => {
    const changes = changesOf.get(row.id) ?? []
    const claims = changes.filter(isClaim).map(({ after }) => after?.claims ?? 0)
    const givenBack = changes
      .filter(({ before, after }) => before && after && after.attempts < before.attempts)
      .map(({ before }) => before?.claims)
    const started = runs.get(row.id) ?? new Set()
    const silent = claims.filter((claim) => !started.has(claim) && !givenBack.includes(claim))
    return [
      ...(row.claims === claims.length
        ? []
        : [`I4: ${row.id} says ${row.claims} claims, and was claimed ${claims.length} times`]),
      ...(row.attempts === claims.length - givenBack.length
        ? []
        : [
            `I4: ${row.id} counts ${row.attempts} attempts, of ${claims.length} claims with ${givenBack.length} given back`,
          ]),
      ...(unstarted
        ? []
        : silent.map((claim) => `I4: ${row.id} was claimed (${claim}) and never started`)),
      ...[...started]
        .filter((claim) => !claims.includes(claim))
        .map((claim) => `I4: ${row.id} ran under claim ${claim}, which nobody made`),
    ]
  })
}

/** The claims under which each row's task started. */
function runsByRow(events: readonly TaskEvent[]): Map<string, Set<number>> {
  const runs = new Map<string, Set<number>>()
  for (const { event, id, claim } of events)
    if (event === 'start') runs.set(id, (runs.get(id) ?? new Set()).add(claim))
  return runs
}

/** I5: each change follows the one before it, along an arrow that there is. */
function forward(
  row: FinalRow,
  changes: readonly Change[],
  { retried = false }: Allowed,
): string[] {
  const steps = changes.flatMap(({ before, after }) => {
    if (!after) return [`I5: ${row.id} was deleted`]
    const step = `${before?.status ?? 'none'} → ${after.status}`
    const claims = after.claims - (before?.claims ?? 0)
    const isRight =
      (ARROWS.get(step) ?? (retried && step === 'FAILED → READY' ? 0 : undefined)) === claims
    return isRight ? [] : [`I5: ${row.id} went ${step}, its claims by ${claims}`]
  })
  const last = changes.at(-1)?.after
  return last && last.status !== row.status
    ? [...steps, `I5: ${row.id} is ${row.status} and was last seen ${last.status}`]
    : steps
}

/** From state to state, and by how much `claims` grows on the way. */
const ARROWS = new Map([
  ['none → READY', 0],
  ['READY → READY', 0],
  ['READY → RUNNING', 1],
  ['READY → FAILED', 0],
  ['RUNNING → RUNNING', 0],
  ['RUNNING → READY', 0],
  ['RUNNING → SUCCESSFUL', 0],
  ['RUNNING → FAILED', 0],
])

/** I6 */
function inTime(row: FinalRow, { quietAt }: History, { running = false }: Allowed): string[] {
  const times = [row.enqueuedAt, row.startedAt, row.finishedAt].filter((time) => time !== null)
  const isSorted = times.every((time, i) => i === 0 || time >= (times[i - 1] ?? 0))
  const isLeft =
    row.status === 'RUNNING' && row.leaseUntil !== null && row.leaseUntil + TAKEOVER < quietAt
  return [
    ...(isSorted
      ? []
      : [`I6: ${row.id} was enqueued, started and finished out of order: ${times.join(', ')}`]),
    ...(isEnd(row) && row.finishedAt === null ? [`I6: ${row.id} ended, nobody knows when`] : []),
    ...(isLeft
      ? [
          `I6: ${row.id} is left RUNNING, ${Math.round(quietAt - (row.leaseUntil ?? 0))} ms after its lease`,
        ]
      : []),
    ...(row.status === 'RUNNING' && !running ? [`I6: ${row.id} still runs`] : []),
  ]
}

/** Each row's changes, in the order they were made. */
function changesByRow({ changes }: History): Map<string, Change[]> {
  const byRow = new Map<string, Change[]>()
  for (const change of changes.toSorted((a, b) => a.seq - b.seq)) {
    const earlier = byRow.get(change.id)
    if (earlier) earlier.push(change)
    else byRow.set(change.id, [change])
  }
  return byRow
}

function isClaim({ before, after }: Change): boolean {
  return before?.status === 'READY' && after?.status === 'RUNNING'
}

function isEnd({ status }: Pick<RowState, 'status'>): boolean {
  return status === 'SUCCESSFUL' || status === 'FAILED'
}

function twice(values: readonly string[]): string[] {
  const seen = new Set<string>()
  return [...new Set(values.filter((value) => seen.has(value) || !seen.add(value)))]
}
