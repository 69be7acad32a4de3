import { cliApp, type CliApp, TASKS_FILE, until } from '../support/cli-app'
import { inTerminal } from '../support/terminal'

jest.setTimeout(120_000)

const COUNTING = `
  const { setTimeout: sleep } = require('node:timers/promises')
  task('reports.collect_all_the_pages_of_a_month', async ({ reportProgress }, total) => {
    for (let i = 1; i <= 6; i++) {
      reportProgress(i * 200, total, 'page ' + i + ' of a long note that has no room in the line')
      await sleep(700)
    }
  }, { takesContext: true })`
const NAME = 'reports.collect_all_the_pages_of_a_month'
const WORKER = ['db_worker', '--batch', '--no-startup-delay', '-v0']

describe('results --watch', () => {
  let app: CliApp
  beforeAll(async () => {
    app = await cliApp({ files: { 'tasks.js': TASKS_FILE + COUNTING } })
  })

  it('redraws a table with bars on a terminal, within its 80 columns, and ends with Ctrl+C', async () => {
    const [counted = ''] = await app.enqueue(NAME, [[1_200]])
    await app.enqueue(NAME, [[null]])
    await app.enqueue('app.fail')
    const worker = app.start(...WORKER)
    const started = inTerminal(app.root, ['results', '--watch'], { interruptAfter: 7 })

    const { code, screen } = await started
    await worker.exited

    expect(code).toBe(0)
    expect(screen.broken).toEqual([])
    const bars = screen.states.flatMap(
      (state) => state.match(/[\u2588\u2591]+ [\d,]+\/1,200/g) ?? [],
    )
    expect(new Set(bars).size).toBeGreaterThan(2)
    expect(screen.text).toContain('\u2588'.repeat(12) + ' 1,200/1,200')
    expect(screen.text).toContain('TypeError: broken')
    expect(screen.text.match(new RegExp(counted.slice(-8), 'g'))).toHaveLength(1)
    expect(screen.text.match(/^id /gm)).toHaveLength(1)
  })

  it('in a pipe it writes a line for each change, and each once', async () => {
    const [id = ''] = await app.enqueue('app.add', [[1, 2]])
    const watch = app.start('results', '--watch', '--limit', '1')
    await watch.says(`Task id=${id} path=app.add state=READY`)
    await app.tasks(...WORKER)
    await watch.says(`Task id=${id} path=app.add state=SUCCESSFUL`)
    watch.kill('SIGINT')

    expect(await watch.exited).toEqual({ code: 0, signal: null })
    expect(watch.log.match(/^Task .*READY$/gm)).toHaveLength(1)
    expect(watch.log).not.toContain('\u001b')
  })

  it('with --json each line is a result', async () => {
    const [id = ''] = await app.enqueue('app.add', [[1, 2]])
    const watch = app.start('results', '--watch', '--json', '--limit', '1')
    await until(
      () => watch.log.includes('\n'),
      () => 'a line',
    )
    watch.kill('SIGTERM')
    expect((await watch.exited).code).toBe(0)
    expect(JSON.parse(watch.log)).toMatchObject({ id, status: 'READY' })
  })
})
