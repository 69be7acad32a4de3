import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { join } from 'node:path'
import { DataSource, type DataSourceOptions } from 'typeorm'
import { DBTaskResult } from '#entities'
import { databases } from '../support/databases'
import { typeormEnv } from '../support/typeorm'
import { djangoRow } from '../support/row-values'

const zones = ['Asia/Kolkata', 'America/St_Johns', 'UTC']

/** Around both changes of St. John's clocks in 2026, as instants and as UTC's wall clock seen there. */
const instants = [
  '2026-03-08T01:59:59.999Z',
  '2026-03-08T03:00:00.000Z',
  '2026-03-08T05:29:59.999Z',
  '2026-03-08T05:30:00.000Z',
  '2026-03-08T05:30:00.001Z',
  '2026-11-01T01:30:00.000Z',
  '2026-11-01T02:30:00.000Z',
  '2026-11-01T03:30:00.000Z',
  '2026-11-01T04:29:59.999Z',
  '2026-11-01T04:30:00.000Z',
  '1999-12-31T23:59:59.999Z',
  '2026-07-01T10:00:00.007Z',
]
const sentinel = '9999-01-01T00:00:00.000Z'

/** 02:30 does not exist there that night, so a driver that reads UTC's wall clock as local time must make something else of it. */
const inTheGap = '2026-03-08T02:30:00.000Z'

test('processes in three zones agree on every instant, on every database, whatever the timezone of the connection', async () => {
  const places = await freshPlaces()
  const writes = zones.map(() =>
    instants.map((enqueuedAt) => ({ ...djangoRow(), enqueuedAt, runAfter: sentinel })),
  )
  for (const [index, zone] of zones.entries()) await inZone(zone, places, writes[index]) // SQLite has one writer at a time
  const expected = Object.fromEntries(
    writes.flat().map((row) => [row.id, [row.enqueuedAt, sentinel]]),
  )
  const answers = await Promise.all(zones.map(async (zone) => await inZone(zone, places)))
  for (const answer of answers) {
    expect(answer).toHaveLength(places.length)
    for (const [index, { read, found }] of answer.entries()) {
      expect([variant(places[index]!), read]).toEqual([variant(places[index]!), expected])
      expect([variant(places[index]!), found]).toEqual([
        variant(places[index]!),
        instants.filter((at) => at >= '2026-11-01T04:30').length * zones.length,
      ])
    }
  }
})

test("an instant in the gap of the process's own clocks is kept, and read right but by MySQL connections without a timezone", async () => {
  const places = await freshPlaces()
  const row = { ...djangoRow(), enqueuedAt: inTheGap, runAfter: sentinel }
  const there = await inZone('America/St_Johns', places, [row])
  const elsewhere = await inZone('UTC', places)
  expect(elsewhere.map(({ read }) => read)).toEqual(
    places.map(() => ({ [row.id]: [inTheGap, sentinel] })),
  )
  const local = places.map(
    (place) => place.type === 'mariadb' && !('timezone' in place && place.timezone),
  )
  expect(there.map(({ read }, index) => local[index] || read[row.id]![0] === inTheGap)).toEqual(
    places.map(() => true),
  )
})

/** A database of each kind; MariaDB with several ways to connect. */
async function freshPlaces(): Promise<DataSourceOptions[]> {
  const options: DataSourceOptions[] = await Promise.all(
    databases().map((database) => database.fresh()),
  )
  const mariadb = databases().find(({ name }) => name === 'mariadb')
  for (const way of mariadb
    ? [
        { timezone: 'Z' },
        { timezone: '+05:30' },
        { extra: { timezone: '-03:30' } },
        { dateStrings: true },
      ]
    : []) {
    options.push({ ...(await mariadb!.fresh()), ...way } as DataSourceOptions)
  }
  for (const each of options) {
    const dataSource = await new DataSource({
      ...each,
      entities: [DBTaskResult],
      synchronize: true,
    } as DataSourceOptions).initialize()
    await dataSource.destroy()
  }
  return options
}

interface Answer {
  readonly read: Record<string, [string, string]>
  readonly found: number
}

async function inZone(
  zone: string,
  places: DataSourceOptions[],
  write?: unknown[],
): Promise<Answer[]> {
  const child = spawn(process.execPath, [join(__dirname, '../support/in-zone.cjs')], {
    env: { ...typeormEnv(), TZ: zone },
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  child.stdin.end(JSON.stringify({ databases: places, write, find: '2026-11-01T04:30:00.000Z' }))
  return JSON.parse(await text(child.stdout)) as Answer[]
}

function variant(options: DataSourceOptions): string {
  const { type, timezone, dateStrings } = options as {
    type: string
    timezone?: string
    dateStrings?: boolean
  }
  return [type, timezone, dateStrings].join(' ')
}
