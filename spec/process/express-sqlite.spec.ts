import type { ChildProcess } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { DataSource } from 'typeorm'
import { describeEachDatabase, type FreshOptions } from '../support/databases'
import { end, Tutorial } from '../support/tutorial'

jest.setTimeout(120_000)

const CSV = 'item,amount\ntea,3\ncake,4.5\n'

interface View {
  id: string
  status: string
  progress: { done: number; total: number } | null
  ahead: number | null
  returnValue?: unknown
  error?: { message: string }
}

interface Asked {
  token?: string
  method?: string
  body?: string
  headers?: Record<string, string>
}

interface Ticket {
  id: string
  token: string
}

describeEachDatabase(
  (database) => {
    let tutorial: Tutorial
    let rows: DataSource
    let url = ''

    beforeAll(async () => {
      const fresh = await database.fresh()
      tutorial = new Tutorial(urlOf(fresh))
      const inApp = { type: 'better-sqlite3', database: `${tutorial.folder}/app.sqlite` } as const
      rows = await new DataSource(fresh.type === 'better-sqlite3' ? inApp : fresh).initialize()
      url = await tutorial.server()
    })

    afterAll(async () => {
      await rows?.destroy()
      await tutorial?.stop()
    })

    const send = (path: string, { token, headers, ...more }: Asked) =>
      fetch(url + path, {
        ...more,
        headers: {
          'Content-Type': 'application/json',
          ...(token !== undefined && { Authorization: `Bearer ${token}` }),
          ...headers,
        },
      })
    const post = (body: object): Promise<Response> =>
      send('/reports', { method: 'POST', body: JSON.stringify(body) })
    const ordered = async (name: string, csv = CSV): Promise<Ticket> => {
      const response = await post({ name, csv })
      expect(response.status).toBe(202)
      return (await response.json()) as Ticket
    }
    const look = async ({ id, token }: Ticket): Promise<View> =>
      (await (await send(`/reports/${id}`, { token })).json()) as View
    const until = async (ticket: Ticket, isSeen: (view: View) => boolean): Promise<View[]> => {
      const views: View[] = []
      for (const deadline = performance.now() + 40_000; performance.now() < deadline;) {
        const view = await look(ticket)
        views.push(view)
        if (isSeen(view)) return views
        await sleep(100)
      }
      throw new Error(`not seen; the last was ${JSON.stringify(views.at(-1))}`)
    }

    describe('without a worker', () => {
      it('a request is answered at once, with the place and the token of its task', async () => {
        const response = await post({ name: 'first', csv: CSV })
        const { id, token, status } = (await response.json()) as Ticket & View

        expect(response.status).toBe(202)
        expect(response.headers.get('Location')).toBe(`/reports/${id}`)
        expect({ status, token }).toEqual({ status: 'READY', token: expect.any(String) })
      })

      it('a task knows how many are ahead of it', async () => {
        const [earlier, later] = [await ordered('earlier'), await ordered('later')]
        const ahead = (await look(earlier)).ahead ?? NaN
        expect(await look(later)).toMatchObject({ status: 'READY', ahead: ahead + 1 })
      })

      it('the same state is answered by 304', async () => {
        const { id, token } = await ordered('third')
        const whole = await send(`/reports/${id}`, { token })
        expect(whole.headers.get('Retry-After')).toBe('1')

        const headers = { 'If-None-Match': whole.headers.get('ETag') ?? '' }
        const again = await send(`/reports/${id}`, { token, headers })

        expect({ status: again.status, body: await again.text() }).toEqual({
          status: 304,
          body: '',
        })
      })

      it('a token is good for its own task alone', async () => {
        const [one, other] = [await ordered('mine'), await ordered('theirs')]
        for (const token of [undefined, '', 'x', other.token, `${one.token}A`])
          for (const [path, method] of [
            ['', 'GET'],
            ['/cancel', 'POST'],
            ['/retry', 'POST'],
          ])
            expect(
              (
                await send(`/reports/${one.id}${path}`, {
                  ...(token !== undefined && { token }),
                  method: method ?? '',
                })
              ).status,
            ).toBe(403)
      })

      it('a task that waits is cancelled at once', async () => {
        const { id, token } = await ordered('cancelled')
        const response = await send(`/reports/${id}/cancel`, { token, method: 'POST' })
        expect(await response.json()).toMatchObject({
          status: 'FAILED',
          error: { message: 'The task was cancelled.' },
        })
      })

      it('a request whose transaction fails leaves no task behind', async () => {
        const ids = (): Promise<unknown[]> =>
          rows.query('SELECT id FROM db_task_result ORDER BY id')
        await ordered('once')
        const before = await ids()
        expect((await post({ name: 'once', csv: CSV })).status).toBe(409)
        expect(await ids()).toEqual(before)
      })

      it('requests at the same time do not disturb each other', async () => {
        const names = ['a', 'b', 'b', 'c', 'a']
        const responses = await Promise.all(names.map((name) => post({ name, csv: CSV })))
        expect(responses.map(({ status }) => status).toSorted()).toEqual([202, 202, 202, 409, 409])
      })

      it('what is missing is answered with the reason', async () => {
        expect((await post({})).status).toBe(400)
        const { id, token } = await ordered('gone')
        await rows.query('DELETE FROM db_task_result')
        const response = await send(`/reports/${id}`, { token })
        expect(response.status).toBe(404)
        expect(await response.json()).toEqual({ error: expect.stringContaining(id) })
      })

      it('serves the page', async () => {
        expect(await (await fetch(url)).text()).toContain('<progress')
      })

      it('has the migrations that its entities ask for', () => {
        const check = ['makemigrations', '--check', '-d', 'src/data-source.ts']
        expect(tutorial.run('tasks', ...check)).toContain('No changes detected')
        expect(tutorial.run('typeorm', 'schema:log', '-d', 'dist/data-source.js')).toContain(
          'Your schema is up to date',
        )
      })
    })

    describe('with a worker', () => {
      let worker: ChildProcess
      beforeAll(() => {
        worker = tutorial.worker()
      })

      it('polling brings progress and the result; a file without rows is told, and can be tried again', async () => {
        const ticket = await ordered('whole')
        const empty = await ordered('empty', 'item,amount\n')

        const views = await until(ticket, ({ status }) => status === 'SUCCESSFUL')
        expect(views.at(-1)).toMatchObject({ id: ticket.id, returnValue: { rows: 2, total: 7.5 } })
        expect(
          views.some(
            ({ progress }) => progress !== null && progress.done > 0 && progress.done < 20,
          ),
        ).toBe(true)
        expect(await rows.query("SELECT total FROM report WHERE name = 'whole'")).toEqual([
          { total: 7.5 },
        ])

        const error = { message: 'empty has no rows below its header.' }
        expect(await look(empty)).toMatchObject({ status: 'FAILED', error })
        const retry = { token: empty.token, method: 'POST' }
        const second = await send(`/reports/${empty.id}/retry`, retry)
        expect(second.status).toBe(202)
        const next = (await second.json()) as Ticket
        expect((await until(next, ({ status }) => status === 'FAILED')).at(-1)).toMatchObject({
          error,
        })
      })

      it('a cancel reaches the worker, another process', async () => {
        const ticket = await ordered('stopped')
        await until(ticket, ({ progress }) => (progress?.done ?? 0) > 0)
        await send(`/reports/${ticket.id}/cancel`, { token: ticket.token, method: 'POST' })
        const views = await until(ticket, ({ status }) => status === 'FAILED')
        expect(views.at(-1)?.error).toEqual({ message: 'The task was cancelled.' })
      })

      it('a worker is killed half way, and another finishes its task', async () => {
        const ticket = await ordered('killed')
        await until(ticket, ({ progress }) => (progress?.done ?? 0) >= 8)
        await end(worker, 'SIGKILL')
        tutorial.worker()
        const views = await until(ticket, ({ status }) => status === 'SUCCESSFUL')
        const done = views.map(({ progress }) => progress?.done ?? 0)
        // The bar goes back: the task began anew.
        expect(done.some((value, at) => at > 0 && value < (done[at - 1] ?? 0))).toBe(true)
      })
    })
  },
  { only: ['sqlite', 'postgres'] },
)

/** Of PostgreSQL; undefined: the app makes its own file. */
function urlOf(options: FreshOptions): string | undefined {
  if (options.type !== 'postgres') return undefined
  const { username, password, host, port, database } = options
  return `postgres://${username}:${String(password)}@${host}:${port}/${database}`
}
