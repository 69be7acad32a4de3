import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { DataSource } from 'typeorm'
import { DBTaskResult, type Problem } from 'typeorm-tasks'
import {
  databases,
  isMySqlFamily,
  type FreshOptions,
  type SpecDatabase,
} from '../support/databases'
import { typeormEnv } from '../support/typeorm'

const zones = ['Asia/Kolkata', 'America/St_Johns', 'UTC'] as const
type Zone = (typeof zones)[number]

/** On 8 March 2026 clocks in St. John's went from 2:00 to 3:00, so 2:30, here of UTC, is no local time there. */
const inTheGap = '2026-03-08T02:30:00.123Z'

/** Past instants, so that all run: both changes of the clocks there as instants, and the same hours by UTC's clock. */
const delays = [
  null,
  inTheGap,
  '2026-03-08T05:29:59.999Z',
  '2026-03-08T05:30:00.000Z',
  '2026-03-08T05:30:00.001Z',
  '2025-11-02T01:30:00.123Z',
  '2025-11-02T03:30:00.123Z',
  '2025-11-02T04:29:59.999Z',
  '2025-11-02T04:30:00.123Z',
  '2025-11-02T05:30:00.000Z',
]
const NO_DELAY = Date.UTC(9999, 0, 1)

interface Place {
  readonly name: string
  readonly options: FreshOptions
  readonly database: SpecDatabase
  /** The driver reads zone-less instants as local time. */
  readonly readsLocal: boolean
}

/** enqueuedAt, startedAt, finishedAt, runAfter */
type Instants = [number, number, number, number | null]

interface Row {
  readonly id: string
  readonly byResult: Instants
  readonly byRow: Instants
  readonly byRepository: Instants
  readonly returnValue: [number, number]
}

interface Answer {
  readonly read: Row[]
  readonly problems: Problem[]
}

describe('F53 with enqueuers, workers and readers in Kolkata, St. John’s and UTC', () => {
  let places: Place[]
  let began: number
  let ended: number
  /** What each enqueuer held in hand, for each place: id, runAfter, enqueuedAt. */
  let enqueued: [string, number | null, number][][][]
  let answers: Record<Zone, Answer[]>

  beforeAll(async () => {
    places = await freshPlaces()
    began = Date.now()
    // One after the other: on SQLite one writes at a time.
    enqueued = []
    for (const [at, zone] of zones.entries())
      enqueued.push(
        await inZone(zone, places, { job: 'enqueue', instants: delays, queueName: workerFor(at) }),
      )
    for (const zone of zones) await inZone(zone, places, { job: 'work', queues: [zone] })
    ended = Date.now()
    answers = Object.fromEntries(
      await Promise.all(
        zones.map(async (zone) => [zone, await inZone<Answer>(zone, places, { job: 'read' })]),
      ),
    ) as typeof answers
  }, 240_000)

  it('every process reads what is stored, to the millisecond', async () => {
    for (const [at, place] of places.entries()) {
      const stored = await storedInstants(place)
      expect([place.name, stored.size]).toEqual([place.name, zones.length * delays.length])
      for (const zone of zones) {
        const { read } = answers[zone][at]!
        const blurred =
          place.readsLocal && zone === 'America/St_Johns' ? Date.parse(inTheGap) : undefined
        const expected = [...stored].map(([id, instants]) => ({
          id,
          byResult: withoutSentinel(instants),
          byRow: instants,
          byRepository: without(blurred, instants),
        }))
        const found = read.map(({ id, byResult, byRow, byRepository }) => ({
          id,
          byResult,
          byRow,
          byRepository:
            blurred !== undefined && byRow[3] === blurred ? without(blurred, byRow) : byRepository,
        }))
        expect([place.name, zone, sorted(found)]).toEqual([place.name, zone, sorted(expected)])
      }
    }
  })

  it('the delay asked for is the one stored', () => {
    for (const [at, place] of places.entries()) {
      const asked = new Map(
        enqueued.flatMap((each) => each[at]!).map(([id, runAfter]) => [id, runAfter]),
      )
      const wanted = zones.flatMap(() =>
        delays.map((delay) => (delay === null ? null : Date.parse(delay))),
      )
      expect([place.name, [...asked.values()]]).toEqual([place.name, wanted])
      expect([
        place.name,
        answers.UTC[at]!.read.filter(({ id, byResult }) => byResult[3] !== asked.get(id)),
      ]).toEqual([place.name, []])
    }
  })

  it('enqueuer, worker and reader hold the same instants, which are those when it happened', () => {
    for (const [at, place] of places.entries()) {
      const inHand = new Map(
        enqueued.flatMap((each) => each[at]!).map(([id, , enqueuedAt]) => [id, enqueuedAt]),
      )
      for (const { id, byResult, returnValue } of answers['Asia/Kolkata'][at]!.read) {
        const [enqueuedAt, startedAt, finishedAt] = byResult
        expect([place.name, inHand.get(id), returnValue]).toEqual([
          place.name,
          enqueuedAt,
          [enqueuedAt, startedAt],
        ])
        const story = [began, enqueuedAt, startedAt, finishedAt, ended]
        expect([place.name, story]).toEqual([place.name, story.toSorted((a, b) => a - b)])
      }
    }
  })

  it('the check warns where a repository could read an instant wrong, and only there', () => {
    for (const zone of zones) {
      const warned = places
        .filter((_, at) => answers[zone][at]!.problems.length > 0)
        .map(({ name }) => name)
      expect([zone, warned]).toEqual([
        zone,
        zone === 'America/St_Johns'
          ? places.filter(({ readsLocal }) => readsLocal).map(({ name }) => name)
          : [],
      ])
    }
    const [problem] = answers['America/St_Johns'].flatMap(({ problems }) => problems)
    if (!problem) return // no MySQL or MariaDB in this run
    expect(problem.message).toBe(
      'The connection has no timezone, and this process lives in America/St_Johns: a repository reads instants in the hour that is skipped there in spring up to an hour off.',
    )
    expect(problem.hint).toContain("`timezone: 'Z'`")
  })
})

/** The worker in another zone than the enqueuer's; each serves the queue of its zone's name. */
function workerFor(enqueuer: number): Zone {
  return zones[(enqueuer + 1) % zones.length]!
}

/** A database of each kind; MariaDB under both of TypeORM's types, each with three time zones of the connection. */
async function freshPlaces(): Promise<Place[]> {
  const places: Place[] = []
  for (const database of databases()) {
    const ways = isMySqlFamily(database.name)
      ? [...new Set([database.name, 'mysql'] as const)].flatMap((type) =>
          [undefined, 'Z', '+05:30'].map((timezone) => ({ type, timezone })),
        )
      : [{}]
    for (const way of ways) places.push(await freshPlace(database, way))
  }
  return places
}

async function freshPlace(
  database: SpecDatabase,
  { type, timezone }: { type?: 'mariadb' | 'mysql'; timezone?: string | undefined },
): Promise<Place> {
  const options = {
    ...(await database.fresh(type ? { type } : {})),
    ...(timezone === undefined ? {} : { timezone }),
  } as FreshOptions
  const dataSource = await new DataSource({
    ...options,
    entities: [DBTaskResult],
    synchronize: true,
  }).initialize()
  await dataSource.destroy()
  const name =
    type === undefined
      ? database.name
      : `${database.name} as ${type}, ${timezone === undefined ? 'no timezone' : `timezone ${timezone}`}`
  return { name, options, database, readsLocal: type !== undefined && timezone === undefined }
}

/** What the database itself says is in the table, in milliseconds. */
async function storedInstants({ database, options }: Place): Promise<Map<string, Instants>> {
  const columns = ['enqueued_at', 'started_at', 'finished_at', 'run_after'].map(
    (column) => `${AS_TEXT[database.name](column)} AS ${column}`,
  )
  const dataSource = await new DataSource(options).initialize()
  try {
    const rows = (await dataSource.query(
      `SELECT ${AS_ID[database.name]} AS id, ${columns.join(', ')} FROM db_task_result`,
    )) as Record<string, string>[]
    return new Map(
      rows.map(({ id, enqueued_at, started_at, finished_at, run_after }) => [
        dashedId(id!),
        [enqueued_at, started_at, finished_at, run_after].map((at) =>
          milliseconds(at!),
        ) as Instants,
      ]),
    )
  } finally {
    await dataSource.destroy()
  }
}

const AS_TEXT = {
  sqlite: (column: string) => column,
  postgres: (column: string) => `to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')`,
  mariadb: (column: string) => `DATE_FORMAT(${column}, '%Y-%m-%d %H:%i:%s.%f')`,
  mysql: (column: string) => `DATE_FORMAT(${column}, '%Y-%m-%d %H:%i:%s.%f')`,
}
const AS_ID = { sqlite: 'id', postgres: 'id::text', mariadb: 'CAST(id AS CHAR)', mysql: 'id' }

function milliseconds(utc: string): number {
  return Date.parse(`${utc.slice(0, 23).replace(' ', 'T')}Z`)
}

function dashedId(id: string): string {
  return id.includes('-') ? id : id.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

/** In a result, no delay is null. */
function withoutSentinel([enqueuedAt, startedAt, finishedAt, runAfter]: Instants): Instants {
  return [enqueuedAt, startedAt, finishedAt, runAfter === NO_DELAY ? null : runAfter]
}

function without(delay: number | undefined, instants: Instants): Instants | string {
  return delay !== undefined && instants[3] === delay
    ? 'in the gap: cannot be read right here'
    : instants
}

function sorted<Row extends { id: string }>(rows: Row[]): Row[] {
  return rows.toSorted((a, b) => (a.id < b.id ? -1 : 1))
}

async function inZone<T>(zone: Zone, places: readonly Place[], job: object): Promise<T[]> {
  const child = spawn(process.execPath, [join(__dirname, '../support/zone-process.cjs')], {
    env: { ...typeormEnv(), TZ: zone },
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  child.stdin.end(JSON.stringify({ ...job, databases: places.map(({ options }) => options) }))
  return JSON.parse(await text(child.stdout)) as T[]
}
