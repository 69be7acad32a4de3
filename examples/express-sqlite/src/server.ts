import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import express, { type NextFunction, type Request, type Response } from 'express'
import { type EntityManager, QueryFailedError } from 'typeorm'
import {
  publicResponse,
  publicView,
  type TaskResult,
  tasksAhead,
  taskToken,
  verifyTaskToken,
} from 'typeorm-tasks'
import { dashboard } from 'typeorm-tasks/dashboard'
import { dataSource } from './data-source'
import { Report } from './report.entity'
import { buildReport } from './report.tasks'

/** Signs the tokens. Without TASK_SECRET they are of no use after a restart of the server. */
const secret = process.env['TASK_SECRET'] ?? randomBytes(32).toString('hex')
const HOUR = 3_600_000

const app = express()
app.use(express.static(join(__dirname, '../public')))
// Open to this machine alone, and not in production. For others: dashboard({ authorize: (request) => … }).
app.use('/admin/tasks', dashboard().node)
app.use(express.json({ limit: '1mb' }))

/** Stores a report, starts its task, and answers at once; both are stored together or not at all. */
app.post('/reports', async (request, response) => {
  const { name, csv }: Record<string, unknown> = request.body ?? {}
  if (typeof name !== 'string' || name === '' || typeof csv !== 'string')
    return void response.status(400).json({ error: 'Send { "name": "a name", "csv": "lines" }.' })
  try {
    const result = await inTransaction((manager) => orderReport(manager, name, csv))
    accepted(response, result)
  } catch (error) {
    if (!(error instanceof QueryFailedError)) throw error
    response.status(409).json({ error: `There is a report named ${name} already.` })
  }
})

/** From here on the request must carry the token of this task. */
app.use('/reports/:id', (request: Request<{ id: string }>, response, next: NextFunction) => {
  const token = request.get('Authorization')?.replace(/^Bearer /, '')
  if (verifyTaskToken(token, { secret }) === request.params.id) return next()
  response.status(403).json({ error: 'The token is wrong, or too old.' })
})

/** The state of a task, for a page that polls. */
app.get('/reports/:id', async (request, response) => {
  const result = await buildReport.getResult(request.params.id)
  const { status, headers, body } = publicResponse(result, {
    ifNoneMatch: request.get('If-None-Match'),
    more: { ahead: await tasksAhead(result) },
  })
  response
    .status(status)
    .set(headers)
    .send(body ?? undefined)
})

app.post('/reports/:id/cancel', async (request, response) => {
  const result = await buildReport.getResult(request.params.id)
  response.json(publicView(await result.cancel()))
})

/** Starts another task for the same report. */
app.post('/reports/:id/retry', async (request, response) => {
  const { args } = await buildReport.getResult(request.params.id)
  accepted(response, await buildReport.enqueue(Number(args[0])))
})

/** A result that was pruned is 404. */
app.use(
  (
    error: { code?: string; message: string },
    _: Request,
    response: Response,
    next: NextFunction,
  ) => {
    if (error.code !== 'RESULT_NOT_FOUND') return next(error)
    response.status(404).json({ error: error.message })
  },
)

function accepted(response: Response, result: TaskResult<unknown>): void {
  const token = taskToken(result, { secret, for: HOUR })
  response
    .status(202)
    .location(`/reports/${result.id}`)
    .json({ ...publicView(result), token })
}

async function orderReport(manager: EntityManager, name: string, csv: string) {
  // If there is a report of that name, this fails, and with it the whole transaction.
  const { id } = await manager.save(Report, { name, csv, total: null })
  return buildReport.using({ manager }).enqueue(id)
}

let last: Promise<unknown> = Promise.resolve()

/** TypeORM has one connection to SQLite, so transactions must run one after another there. */
function inTransaction<T>(work: (manager: EntityManager) => Promise<T>): Promise<T> {
  if (dataSource.options.type === 'postgres') return dataSource.transaction(work)
  const mine = last.then(() => dataSource.transaction(work))
  last = mine.catch(() => {})
  return mine
}

async function main(): Promise<void> {
  await dataSource.initialize()
  const server = app.listen(Number(process.env['PORT'] ?? 3000), () => {
    const address = server.address()
    console.log(
      `Listening on http://localhost:${typeof address === 'object' ? address?.port : address}`,
    )
  })
}

void main()
