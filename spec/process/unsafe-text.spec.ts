import { cliApp, DATABASE_TASKS, type CliApp } from '../support/cli-app'

/** Right-to-left override, a zero-width space, an isolate, a BOM, half of a surrogate pair, a tag outside the BMP. */
const HIDING = '\u202e\u200b\u2066\ufeff\u{e0041}'
const HIDDEN = '\\u202e\\u200b\\u2066\\ufeff\\udb40\\udc41'

/** A line that looks like a field of a result, or like a row of the list. */
const FORGED = '\nstatus: SUCCESSFUL\r\u2028'

describe('text of a row that somebody else wrote', () => {
  let app: CliApp
  let id: string
  beforeAll(async () => {
    app = await cliApp()
    ;[id = ''] = await app.enqueue('app.add', [[`${HIDING}${FORGED}`]])
    await app.dataSource.query(
      `UPDATE db_task_result SET status = 'FAILED', task_path = ?, queue_name = ?, worker_ids = ?,
       exception_class_path = ?, traceback = ?, finished_at = enqueued_at`,
      [
        `app.${HIDING}gnp${FORGED}`,
        `q${HIDING}`,
        JSON.stringify([`w${HIDING}`]),
        `Error${HIDING}${FORGED}`,
        `Error: ${HIDING}\n    at ${FORGED}end\n`,
      ],
    )
  })

  it.each([
    ['results <id>', () => ['results', id]],
    ['results show', () => ['results', 'show', id]],
    ['results', () => ['results']],
    ['results --json', () => ['results', '--json']],
    ['results <id> --json', () => ['results', id, '--json']],
  ])('%s shows what is hidden, and no forged line', async (_, args) => {
    const { code, stdout } = await app.tasks(...args())

    expect(code).toBe(0)
    expect(stdout).not.toMatch(/[\p{Cf}\p{Zl}\p{Zp}\r]/u)
    expect(stdout.match(/^status: .*/gm) ?? ['status: FAILED']).toEqual(['status: FAILED'])
    expect(stdout).toContain(HIDDEN)
  })

  it('stays what it was for a program that reads the JSON', async () => {
    const { stdout } = await app.tasks('results', id, '--json')

    expect(JSON.parse(stdout)).toMatchObject({
      taskPath: `app.${HIDING}gnp${FORGED}`,
      argsKwargs: { args: [`${HIDING}${FORGED}`] },
    })
  })

  it('is on one line of what a retry prints, and of a log line', async () => {
    const retried = await app.tasks('results', 'retry', id)
    const ran = await app.tasks('db_worker', '--batch', '--no-startup-delay', '--queue-name', '*')

    expect(retried.stdout.trimEnd().split('\n')).toHaveLength(1)
    expect(retried.stdout).toContain(HIDDEN)
    expect(ran.stderr).toContain(`path=app.${HIDDEN}gnp\\u000astatus: SUCCESSFUL`)
    expect(ran.stderr).not.toMatch(/[\p{Cf}\p{Zl}\p{Zp}\r]|^status:/mu)
  })
})

it('shows what is hidden in an argument of the command line that is refused', async () => {
  const app = await cliApp({ tasks: DATABASE_TASKS })

  const { code, stderr } = await app.tasks('results', '--queue-name', `a${HIDING}${FORGED}`)

  expect(code).toBe(2)
  expect(stderr).toContain(`got 'a${HIDDEN}\\u000astatus: SUCCESSFUL`)
  expect(stderr).not.toMatch(/[\p{Cf}\p{Zl}\p{Zp}\r]|^status:/mu)
})

it.each([
  'postgres://bob:s3cr@tTAIL@db.example/app',
  'mysql://bob@realm:s3c:r@tTAIL@db.example/app',
  'mariadb://bob:s3c/r@tTAIL@db.example/app?x=1',
  'mssql://db.example/app?user=bob&password=s3crtTAIL',
])('prints nothing of the password in an error that has %s', async (url) => {
  const app = await cliApp({
    files: { 'tasks.js': `throw new Error('cannot open "${url}".')` },
  })

  for (const level of ['1', '3']) {
    const { code, stderr } = await app.tasks('db_worker', '--batch', '-v', level)
    expect(code).toBe(1)
    expect(stderr).toContain('db.example')
    expect(stderr).not.toMatch(/s3c|TAIL/)
  }
})
