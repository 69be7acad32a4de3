import { DBTaskResult } from '#entities'
import { widthOf } from '../../cli/terminal/width'
import { cliApp, type CliApp } from '../support/cli-app'
import { inTerminal, linesOf } from '../support/terminal'

jest.setTimeout(120_000)

const ERROR = 'RangeError: \u8def\u5f84 of page 17 is too far away; the archive has been moved to'

describe('results with 3,003 rows, of which 40 are FAILED', () => {
  let app: CliApp
  beforeAll(async () => {
    app = await cliApp()
    const calls = Array.from({ length: 3_002 }, (_, i) => [i])
    const ids = await app.enqueue('reports.monthly.collect_the_pages', calls)
    const failed = ids.slice(-40)
    await app.dataSource.getRepository(DBTaskResult).update(failed, {
      status: 'FAILED',
      startedAt: new Date('2026-01-02T03:04:05Z'),
      finishedAt: new Date('2026-01-02T03:04:06Z'),
      workerIds: ['w-1'],
      exceptionClassPath: 'RangeError',
      traceback: `${ERROR} ${'x'.repeat(200)}\n    at pages.js:1:2\n`,
      progress: { done: 17, total: 1_200, note: 'page 17' },
    })
    await app.enqueue('app.add')
  })

  it.each([60, 80, 132])(
    'fits into %d columns, with the first line of each error',
    async (columns) => {
      const { code, text } = await inTerminal(app.root, ['results', '--limit', '45'], { columns })

      const lines = linesOf(text)
      expect(code).toBe(0)
      expect(lines.filter((line) => widthOf(line) > columns)).toEqual([])
      expect(
        lines.filter((line) => line.includes('RangeError: \u8def\u5f84 of page 17')),
      ).toHaveLength(40)
      expect(lines.slice(-2).join(' ')).toMatch(
        /45 of 3,003 results\. Older ones: --before \S{36}$/,
      )
      expect(lines[0]).toMatch(/^id +status +task/)
      expect(text).toContain('\u001b[31mFAILED')
    },
  )

  it('is in a pipe one line for each row, without colours, and with all columns', async () => {
    const { stdout } = await app.tasks('results', '--limit', '3')

    const lines = stdout.trimEnd().split('\n')
    expect(lines).toHaveLength(5)
    expect(lines[2]).toMatch(
      /FAILED +reports\.monthly\.collect_the_pages .* 17\/1,200 .* 1\.000 s +RangeError: .*x{200}$/,
    )
    expect(stdout).not.toContain('\u001b')
  })

  it('has no colours with NO_COLOR, and counts what --task and --status choose', async () => {
    const args = ['results', '--limit', '5', '--status', 'FAILED', '--task']
    const task = 'reports.monthly.collect_the_pages'
    const env = { NO_COLOR: '1' }

    const first = await inTerminal(app.root, [...args, task], { env })
    expect(first.text).not.toContain('\u001b')
    expect(linesOf(first.text).at(-1)).toMatch(/^5 of 40 results/)
    const [, last = ''] = /--before (\S+)/.exec(first.text) ?? []
    const second = await inTerminal(app.root, [...args, task, '--before', last], { env })
    const idsOf = (text: string): string[] => text.match(/^[\da-f-]{36}(?=  )/gm) ?? []
    expect(new Set([...idsOf(first.text), ...idsOf(second.text)]).size).toBe(10)
    expect((await app.tasks(...args, 'app.add')).stdout).toBe('No task results.\n')
  })

  it('help and errors fit into 80 columns', async () => {
    const calls = [
      ['--help'],
      ['db_worker', '--help'],
      ['prune_db_task_results', '--help'],
      ['makemigrations', '--help'],
      ['check', '--help'],
      ['enqueue', '--help'],
      ['results', '--help'],
      ['results', 'retry', '--help'],
      ['enqueue', 'app.ad'],
      ['results', '--before', 'nobody-knows-this-id-of-a-result-that-somebody-wrote'],
      ['results', 'retry', '01981c1e-7c2a-7b3c-8d4e-5f6071829304'],
      ['db_worker', '--queue-name', 'mail', '--exclude-queues', 'slow'],
    ]
    for (const args of calls) {
      const { text, screen } = await inTerminal(app.root, args)
      expect({ args, broken: screen.broken }).toEqual({ args, broken: [] })
      expect(text).toMatch(/^(Usage|error): /)
    }
  })
})
