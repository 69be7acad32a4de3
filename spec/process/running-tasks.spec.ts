import { cliApp, TASKS_FILE } from '../support/cli-app'
import { inTerminal } from '../support/terminal'

jest.setTimeout(120_000)

const COUNTING = `
  const { setTimeout: sleep } = require('node:timers/promises')
  task('reports.collect_all_the_pages_of_a_month', async ({ reportProgress }, name, total) => {
    for (let i = 1; i <= 12; i++) {
      reportProgress(i * 100, total, name + ' \\u8def\\u5f84 page ' + i + ' of a long note that has no room in the line')
      if (i % 4 === 0) console.log('said ' + name + ' ' + i + ' ' + '-'.repeat(90))
      await sleep(150)
    }
  }, { takesContext: true })`
const NAME = 'reports.collect_all_the_pages_of_a_month'
const CALLS = [
  ['a', 1_200],
  ['b', 2_400],
  ['c', null],
]
const WORKER = ['db_worker', '--batch', '--no-startup-delay']

it('db_worker draws bars for running tasks on a terminal, and all other lines above them', async () => {
  const app = await cliApp({ files: { 'tasks.js': TASKS_FILE + COUNTING } })
  const ids = await app.enqueue(NAME, CALLS)

  const { code, text, screen } = await inTerminal(app.root, WORKER)

  expect(code).toBe(0)
  const drawn = screen.states.filter((state) =>
    ids.every((id) => state.includes(` ${id.slice(-8)} `)),
  )
  expect(drawn.length).toBeGreaterThan(2)
  const bars = drawn.at(-1)!.split('\n').slice(-3)
  expect(bars[0]).toMatch(
    /^reports\.collect_all… \S{8} \u2588+\u2591* [\d,]+\/1,200 +\ds +a \u8def\u5f84 pag/,
  )
  expect(bars[1]).toMatch(/^reports\.collect_all… \S{8} \u2588+\u2591+ [\d,]+\/2,400 +\ds +b /)
  expect(bars[2]).toMatch(/^reports\.collect_all… \S{8} {18,}[\d,]+ +\ds +c /)
  // Lines above the bars are whole, however many rows of the terminal they take; no bar is left among them.
  expect(screen.broken.filter((line) => line.startsWith('reports.'))).toEqual([])
  const barsIn = (state: string): number => state.match(/^reports\.collect_all… /gm)?.length ?? 0
  expect(Math.max(...screen.states.map(barsIn))).toBe(3)
  expect(screen.text).not.toContain('\u2588')
  for (const id of ids) expect(text).toContain(`Task id=${id} path=${NAME} state=SUCCESSFUL\r\n`)
  expect(screen.text.match(/^said /gm)).toHaveLength(9)
})

it('in a pipe it writes lines about them at -v 2, and none at -v 1', async () => {
  const app = await cliApp({ files: { 'tasks.js': TASKS_FILE + COUNTING } })
  const [id = ''] = await app.enqueue(NAME, [['a', 1_200]])
  const { stderr } = await app.tasks(...WORKER, '-v2')
  await app.enqueue(NAME, [['a', 1_200]])
  const quiet = await app.tasks(...WORKER)

  const lines = stderr.split('\n').filter((line) => line.includes('progress='))
  expect(lines).toEqual([
    expect.stringMatching(
      new RegExp(`^Task id=${id}\\s+path=${NAME} elapsed=\\ds progress=\\d00/1,200 note=a `),
    ),
  ])
  expect(quiet.stderr).not.toContain('progress=')
  expect(stderr + quiet.stderr + quiet.stdout).not.toContain('\u001b')
})
