import { addTimed } from '../../support/timed-rows'
import type { CliApp } from '../../support/cli-app'

/** Tasks of an invented shop, for pictures: they only wait. */
export const SHOP = `
  const { setTimeout: sleep } = require('node:timers/promises')
  const { group, schedule, task } = require('typeorm-tasks')
  const welcome = task('mail.welcome', async () => sleep(120), { queueName: 'mail' })
  task('mail.receipt', async () => sleep(200), { queueName: 'mail' })
  task('search.reindex', async () => sleep(300))
  task('shop.import', async (file) => {
    throw new SyntaxError('Row 17 of ' + file + ' has no price.')
  })
  const load = task('report.load', async (month, region) => {
    await sleep(region === 'north' ? 400 : 900)
    return { region, rows: 1_204 }
  }, { queueName: 'reports' })
  const build = task('report.build', async (context, month) => {
    for (let part = 1; part <= 200; part++) {
      await sleep(part < 120 ? 10 : 300)
      context.reportProgress(part, 200, 'page ' + part)
    }
    return { pages: 200 }
  }, { queueName: 'reports', takesContext: true })
  const send = task('report.send', async () => sleep(100), { queueName: 'reports' })
  schedule('report.monthly', build, { cron: '30 2 1 * *', timeZone: 'Europe/Berlin', args: ({ slot }) => [slot.toISOString().slice(0, 7)] })
  schedule('search.nightly', task('search.sweep', async () => {}), { cron: '0 3 * * 1-5' })
  schedule('crm.sync', task('crm.sync', async () => {}), { every: 900_000 })
  exports.seed = async () => {
    await group(['north', 'south', 'west'].map((region) => load.order('2030-01', region)))
      .next(() => build.order('2030-01'))
      .next(() => send.order('2030-01'))
      .enqueue()
    for (let user = 1; user <= 3; user++) await welcome.using({ runAfter: new Date(Date.now() + user * 600_000) }).enqueue(user)
  }`

/** Enqueues what is to run, with the app's own code: flows are enqueued by it. */
export const SEED = `
  const { configureTasks } = require('typeorm-tasks')
  const { dataSource, TASKS: { default: settings } } = require('./ormconfig.js')
  configureTasks({ default: { ...settings, OPTIONS: { dataSource } } })
  const { seed } = require('./tasks.js')
  dataSource.initialize().then(seed).then(() => dataSource.destroy())`

const KINDS = [
  ['mail.welcome', 'mail', 140, 60],
  ['mail.receipt', 'mail', 220, 90],
  ['search.reindex', 'default', 900, 250],
  ['report.build', 'reports', 4_000, 1_800],
] as const

/** The last hour of the shop: so many tasks a minute as in a wave, of which few failed. */
export async function addHistory({ dataSource }: CliApp): Promise<void> {
  const rows = []
  const now = Date.now()
  for (let minute = 59; minute > 0; minute--) {
    const number = Math.round(14 + 9 * Math.sin(minute / 7) + ((minute * 7) % 5))
    for (let at = 0; at < number; at++) rows.push(pastTask(now - minute * 60_000 + at * 900, at))
  }
  await addTimed(dataSource, rows)
}

function pastTask(enqueued: number, at: number): object {
  const [taskPath, queueName, run, wait] = KINDS[at % 11 === 0 ? 3 : at % 3] ?? KINDS[0]
  const startedAt = new Date(enqueued + wait + ((at * 37) % 90))
  const finishedAt = new Date(startedAt.getTime() + run + ((at * 53) % run))
  const isFailed = at % 13 === 5
  return {
    enqueuedAt: new Date(enqueued),
    taskPath,
    queueName,
    startedAt,
    finishedAt,

    status: isFailed ? 'FAILED' : 'SUCCESSFUL',
    claims: 1,
    workerIds: ['web-1/4f2a91c0'],
    ...(isFailed && {
      exceptionClassPath: 'builtins.TimeoutError',
      traceback: 'TimeoutError: the mail server has not answered',
    }),
  }
}
