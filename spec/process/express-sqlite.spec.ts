import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import Database from 'better-sqlite3'
import { copyInto, newApp, pathOf } from '../support/linked-app'

jest.setTimeout(60_000)

const app = newApp(['@types', 'better-sqlite3', 'express', 'reflect-metadata', 'typeorm', '@swc'])
const running: ChildProcess[] = []
let url = ''

beforeAll(async () => {
  copyInto(app, 'examples/express-sqlite', ['package.json', 'tsconfig.json', 'src', 'public'])
  run('tsc')
  run('typeorm', 'migration:run', '-d', 'dist/data-source.js')
  start(
    'tasks',
    'db_worker',
    '-d',
    'dist/data-source.js',
    '--interval',
    '0.1',
    '--no-startup-delay',
    '-v',
    '0',
  )
  url = await listening(start('node', 'dist/server.js'))
})

afterAll(async () => {
  for (const child of running.filter(
    ({ exitCode, signalCode }) => exitCode === null && signalCode === null,
  )) {
    child.kill('SIGTERM')
    await once(child, 'exit')
  }
})

it('a request is answered at once with an id, and polling that id brings progress and the result', async () => {
  const asked = performance.now()
  const response = await post({ image: 'M31.fits' })
  expect(response.status).toBe(202)
  expect(performance.now() - asked).toBeLessThan(1_500) // the task itself takes two seconds
  const { taskId } = (await response.json()) as { taskId: string }

  const seen = await poll(taskId)

  expect(seen.at(-1)).toMatchObject({ id: taskId, status: 'SUCCESSFUL', result: { sources: 56 } })
  expect(
    seen.some(
      ({ status, progress }) => status === 'RUNNING' && progress?.total === 4 && progress.done > 0,
    ),
  ).toBe(true)
  expect(rows('SELECT image, taskId, sources FROM extraction')).toEqual([
    { image: 'M31.fits', taskId, sources: 56 },
  ])
})

it('a request whose transaction fails leaves no task behind', async () => {
  expect((await post({ image: 'M33.fits' })).status).toBe(202)
  const before = rows('SELECT id FROM db_task_result')

  expect((await post({ image: 'M33.fits' })).status).toBe(409)

  expect(rows('SELECT id FROM db_task_result')).toEqual(before)
})

it('requests at the same time do not disturb each other', async () => {
  const responses = await Promise.all(['a', 'b', 'b', 'c', 'a'].map((image) => post({ image })))

  expect(responses.map(({ status }) => status)).toEqual([202, 202, 409, 202, 409])
  expect(
    rows(
      `SELECT t.id FROM db_task_result t WHERE t.args_kwargs LIKE '%"a"%' OR t.args_kwargs LIKE '%"b"%' OR t.args_kwargs LIKE '%"c"%'`,
    ),
  ).toHaveLength(3)
})

it('what is missing or unknown is answered with the reason', async () => {
  expect((await post({})).status).toBe(400)
  const unknown = await fetch(`${url}/tasks/01a1fd2a-d893-726e-ba16-ba199ad8f208`)
  expect(unknown.status).toBe(404)
  expect(await unknown.json()).toEqual({
    error: expect.stringContaining(
      'No task result has the id "01a1fd2a-d893-726e-ba16-ba199ad8f208"',
    ),
  })
})

it('serves the page that polls', async () => {
  expect(await (await fetch(url)).text()).toContain('<progress')
})

it('has the migrations that its entities ask for', () => {
  expect(run('tasks', 'makemigrations', '--check', '-d', 'src/data-source.ts')).toContain(
    'No changes detected',
  )
  expect(run('typeorm', 'schema:log', '-d', 'dist/data-source.js')).toContain(
    'Your schema is up to date',
  )
})

interface Answer {
  id: string
  status: string
  progress: { done: number; total: number } | null
  result: unknown
}

async function poll(id: string): Promise<Answer[]> {
  const seen: Answer[] = []
  for (
    const deadline = performance.now() + 20_000;
    performance.now() < deadline;
    await sleep(100)
  ) {
    seen.push((await (await fetch(`${url}/tasks/${id}`)).json()) as Answer)
    if (['SUCCESSFUL', 'FAILED'].includes(seen.at(-1)!.status)) break
  }
  return seen
}

function post(body: object): Promise<Response> {
  return fetch(`${url}/extractions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
}

function rows(sql: string): unknown[] {
  const database = new Database(join(app, 'app.sqlite'), { readonly: true })
  try {
    return database.prepare(sql).all()
  } finally {
    database.close()
  }
}

function run(command: string, ...args: string[]): string {
  return execFileSync(command, args, {
    cwd: app,
    encoding: 'utf8',
    env: { ...process.env, PATH: pathOf(app) },
  })
}

function start(command: string, ...args: string[]): ChildProcess {
  const child = spawn(command, args, {
    cwd: app,
    env: { ...process.env, PATH: pathOf(app), PORT: '0' },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  running.push(child)
  return child
}

async function listening(server: ChildProcess): Promise<string> {
  let said = ''
  for await (const chunk of server.stdout!.iterator({ destroyOnReturn: false })) {
    said += String(chunk)
    const found = /Listening on (\S+)/.exec(said)?.[1]
    if (found) return found
  }
  throw new Error(`The server ended, having said: ${said}`)
}
