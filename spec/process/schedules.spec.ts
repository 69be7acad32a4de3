import { setTimeout as sleep } from 'node:timers/promises'
import { cliApp, type CliApp, type Running, until } from '../support/cli-app'
import { describeEachDatabase } from '../support/databases'
import { blocksOf } from '../support/markdown'

const SCHEDULES_FILE = `
  const { schedule, task } = require('typeorm-tasks')
  const report = task('reports.make', (context, day) => [context.slot.schedule, day], { takesContext: true })
  schedule('reports.nightly', report, {
    cron: '30 2 * * *', timeZone: 'Europe/Berlin', args: ({ slot }) => [slot.toISOString().slice(0, 10)],
  })
  schedule('reports.often', report, { every: 15 * 60_000, args: ['now'], using: { queueName: 'reports' }, missed: 'skip' })
  schedule('reports.off', report, { cron: '@daily', args: ['off'], enabled: false })`

const LONG = `
  const { schedule, task } = require('typeorm-tasks')
  const report = task('reports.make', () => {})
  schedule('a_department.that_writes_long_names.every_single_time', report, {
    cron: '0,5,10,15,20,25,30,35,40,45,50,55 8-18 1-15,20-25 JAN-JUN,SEP MON-FRI',
    timeZone: 'America/Argentina/Buenos_Aires',
  })
  schedule('reports.monthly_statements', report, { cron: '@monthly' })`

const SECONDLY = `
  const { schedule, task } = require('typeorm-tasks')
  schedule('spec.secondly', task('spec.tick', () => {}), { every: 1_000, missed: 'all' })`

/** 200 slots: as long as this takes, workers are killed. */
const SCHEDULES = 20
const SECONDS = 10

const WORKER = ['db_worker', '--no-startup-delay', '--interval', '0.2']

describe('tasks schedules', () => {
  let app: CliApp
  beforeAll(async () => {
    app = await cliApp({ files: { 'tasks.js': SCHEDULES_FILE } })
  })

  it('lists what the app defines, in the width of the terminal, and as JSON', async () => {
    const [list, same, json] = await Promise.all([
      app.tasks('schedules'),
      app.tasks('schedules', 'list'),
      app.tasks('schedules', '--json'),
    ])
    const time = String.raw`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d\d:\d\d`
    const lines = list.stdout.trimEnd().split('\n')
    expect(lines.map((line) => line.trim().split(/ {2,}/).join(' | '))).toEqual([
      'name | when | time zone | next | task | queue | missed',
      expect.stringMatching(
        new RegExp(
          `^reports.nightly \\| 30 2 \\* \\* \\* \\| Europe/Berlin \\| ${time} \\| reports.make \\| default \\| once$`,
        ),
      ),
      'reports.off | @daily | UTC | disabled | reports.make | default | once',
      expect.stringMatching(
        new RegExp(
          `^reports.often \\| every 15 min \\| UTC \\| ${time} \\| reports.make \\| reports \\| skip$`,
        ),
      ),
    ])
    expect(same).toEqual(list)
    expect(JSON.parse(json.stdout)).toMatchObject([
      { name: 'reports.nightly', when: '30 2 * * *', enabled: true, next: expect.any(String) },
      { name: 'reports.off', enabled: false, next: null },
      { name: 'reports.often', task: 'reports.make', queueName: 'reports' },
    ])
  })

  it.each(['Pacific/Kiritimati', 'America/New_York'])(
    'in the zone %s, it prints of a change of clocks what the docs say',
    async (zone) => {
      const [told] = blocksOf('docs/guide/schedules.md').filter(
        ({ language }) => language === 'text',
      )
      const before = process.env['TZ']
      process.env['TZ'] = zone
      try {
        const next = ['schedules', 'next', 'reports.nightly']
        const [text, json] = await Promise.all([
          app.tasks(...next, '3', '--after', '2026-10-24T00:00:00Z'),
          app.tasks(...next, '--json', '--after', '2026-10-24T00:00:00Z'),
        ])
        expect(text).toEqual({ code: 0, stdout: told!.text, stderr: '' })
        const slots = JSON.parse(json.stdout) as unknown[]
        expect(slots.length).toBe(5)
        expect(slots[1]).toEqual({
          local: '2026-10-25 02:30:00 +02:00',
          utc: '2026-10-25T00:30:00Z',
        })
      } finally {
        if (before === undefined) delete process.env['TZ']
        else process.env['TZ'] = before
      }
    },
  )

  it('runs one by hand, and says what it does not know', async () => {
    const run = await app.tasks('schedules', 'run', 'reports.off')
    expect(run.code).toBe(0)
    expect(await app.row(run.stdout.trim())).toMatchObject({
      taskPath: 'reports.make',
      status: 'READY',
      uniqueKey: null,
      options: { slot: { schedule: 'reports.off', late: false } },
    })
    const json = await app.tasks('schedules', 'run', 'reports.off', '--json')
    expect(JSON.parse(json.stdout)).toMatchObject({ status: 'READY', taskPath: 'reports.make' })
    const [unknown, number, command] = await Promise.all([
      app.tasks('schedules', 'run', 'reports.nihgtly'),
      app.tasks('schedules', 'next', 'reports.nightly', 'many'),
      app.tasks('beat'),
    ])
    expect([unknown.code, number.code, command.code]).toEqual([2, 2, 2])
    expect(unknown.stderr).toContain(
      `There is no schedule 'reports.nihgtly'. Did you mean "reports.nightly"?`,
    )
    expect(number.stderr).toContain('argument number: expected a whole number from 1 to 1000')
    expect(command.stderr).toContain('Did you mean "schedules"?')
  })

  it('says what else it was asked for, and that a disabled one does not fire', async () => {
    const [word, name, disabled] = await Promise.all([
      app.tasks('schedules', 'nxt', 'reports.off'),
      app.tasks('schedules', 'reports.off'),
      app.tasks('schedules', 'next', 'reports.off', '1'),
    ])
    expect([word, name].map(({ code, stdout }) => [code, stdout])).toEqual([
      [2, ''],
      [2, ''],
    ])
    expect(word.stderr).toBe(`error: unknown command 'schedules nxt'. Did you mean "next"?\n`)
    expect(name.stderr).toContain('Write `schedules next <name>`, `schedules run <name>`, or')
    expect(disabled.stdout).toMatch(/^\S+ 00:00:00 \+00:00 {2}\S+\n$/)
    expect(disabled.stderr).toBe('reports.off is disabled: no worker fires it.\n')
  })

  it('shows the beginning of each name where an expression is wider than the terminal', async () => {
    const long = await cliApp({ files: { 'tasks.js': LONG } })
    const { stdout } = await withColumns(80, () => long.tasks('schedules'))
    const lines = stdout.trimEnd().split('\n')
    expect(lines.filter((line) => line.length > 80)).toEqual([])
    expect(lines.slice(1).map((line) => line.split(/ {2,}/).slice(0, 2))).toEqual([
      ['a_department.that_writes_long_names…', '0,5,10,15,20,…'],
      ['reports.monthly_statements', '@monthly'],
    ])
    long.remove('tasks.js')
    long.write('tasks.js', `require('typeorm-tasks').task('spec.one', () => {})`)
    expect(await long.tasks('schedules')).toEqual({
      code: 0,
      stdout: 'No schedules.\n',
      stderr: expect.stringContaining('those of TASK_MODULES, else tasks.ts and *.tasks.ts.'),
    })
  })

  it('refuses two schedules of one name', async () => {
    app.write(
      'other.tasks.js',
      `require('typeorm-tasks').schedule('reports.off', require('typeorm-tasks').task('other.one', () => {}), { every: 1_000 })`,
    )
    const { code, stderr } = await app.tasks('schedules')
    app.remove('other.tasks.js')
    expect(code).toBe(1)
    expect(stderr).toMatch(
      /Two schedules are named "reports.off": .*tasks.js:\d+ and .*tasks.js:\d+/,
    )
  })
})

describeEachDatabase((database) => {
  const MANY = `
    const { schedule, task } = require('typeorm-tasks')
    const tick = task('spec.tick', () => {})
    for (let i = 0; i < ${SCHEDULES}; i++) schedule('spec.tick' + i, tick, { every: 1_000, missed: 'all' })`
  it('eight of them, killed at random, write each of 200 slots once', async () => {
    const app = await cliApp({ database: await database.fresh(), files: { 'tasks.js': MANY } })
    const workers: Running[] = []
    for (let i = 0; i < 8; i++) workers.push(app.start(...WORKER))
    const slots = async (): Promise<string[]> =>
      (await app.rows()).map(({ options }) => {
        const { schedule, at } = (options as { slot: { schedule: string; at: string } }).slot
        return `${schedule} ${at}`
      })
    // A new schedule has missed nothing, so counting begins when each has its first row.
    await until(
      async () => new Set((await slots()).map((slot) => slot.split(' ')[0])).size === SCHEDULES,
      () => `a slot of each schedule; the log of one worker:\n${workers[0]!.log}`,
      60_000,
    )
    const from = (Math.floor(Date.now() / 1_000) + 1) * 1_000
    const to = from + SECONDS * 1_000
    const killed: Promise<unknown>[] = []
    while (Date.now() < to) {
      await sleep(400 + Math.random() * 800)
      const at = Math.floor(Math.random() * workers.length)
      workers[at]!.kill('SIGKILL')
      killed.push(workers[at]!.exited)
      workers[at] = app.start(...WORKER)
    }
    const isCounted = (slot: string): boolean => {
      const at = Date.parse(slot.split(' ')[1]!)
      return at >= from && at < to
    }
    await until(
      async () => new Set((await slots()).filter(isCounted)).size === SCHEDULES * SECONDS,
      () => '200 slots',
      60_000,
    )
    for (const worker of workers) worker.kill('SIGTERM')
    await Promise.all([...killed, ...workers.map((worker) => worker.exited)])

    const counted = (await slots()).filter(isCounted)
    expect(counted.length).toBe(SCHEDULES * SECONDS)
    expect(new Set(counted).size).toBe(SCHEDULES * SECONDS)
  }, 180_000)
})

describe('a worker with --no-schedules, and in a batch', () => {
  it('fires none', async () => {
    const app = await cliApp({ files: { 'tasks.js': SECONDLY } })
    const worker = app.start(...WORKER, '--no-schedules')
    await worker.says('Starting worker')
    await sleep(2_500)
    const batch = await app.tasks('db_worker', '--batch')
    worker.kill('SIGTERM')
    await worker.exited
    expect(batch.code).toBe(0)
    expect(await app.rows()).toEqual([])
  })
})

async function withColumns<T>(columns: number, work: () => Promise<T>): Promise<T> {
  const before = process.env['COLUMNS']
  process.env['COLUMNS'] = String(columns)
  try {
    return await work()
  } finally {
    if (before === undefined) delete process.env['COLUMNS']
    else process.env['COLUMNS'] = before
  }
}
