import { join } from 'node:path'
import express from 'express'
import { type EntityManager, QueryFailedError } from 'typeorm'
import { ResultNotFoundError } from 'typeorm-tasks'
import { dataSource } from './data-source'
import { Extraction } from './extraction.entity'
import { extractSources } from './extraction.tasks'

const app = express()
app.use(express.static(join(__dirname, '../public')))
app.use(express.json())

/** Starts a task and answers at once; the extraction and its task are stored together or not at all. */
app.post('/extractions', async (request, response) => {
  const image: unknown = request.body?.image
  if (typeof image !== 'string' || image === '')
    return void response.status(400).json({ error: 'Send { "image": "a name" }.' })
  try {
    response.status(202).json(await inTransaction((manager) => orderExtraction(manager, image)))
  } catch (error) {
    if (!(error instanceof QueryFailedError)) throw error
    response.status(409).json({ error: `There is an extraction of ${image} already.` })
  }
})

/** The status and progress of a task. */
app.get('/tasks/:id', async (request, response) => {
  try {
    const result = await extractSources.getResult(request.params.id)
    const { id, status, progress } = result
    response.json({
      id,
      status,
      progress,
      result: status === 'SUCCESSFUL' ? result.returnValue : null,
    })
  } catch (error) {
    if (!(error instanceof ResultNotFoundError)) throw error
    response.status(404).json({ error: error.message })
  }
})

async function orderExtraction(
  manager: EntityManager,
  image: string,
): Promise<{ id: number; taskId: string }> {
  const task = await extractSources.using({ manager }).enqueue(image)
  // If the image already exists, this fails, and the rollback also removes the task that was just enqueued.
  return manager.save(Extraction, { image, taskId: task.id, sources: null })
}

let last: Promise<unknown> = Promise.resolve()

/** Runs transactions one after another, because TypeORM has one connection to SQLite. On PostgreSQL or MySQL: `dataSource.transaction(work)`. */
function inTransaction<T>(work: (manager: EntityManager) => Promise<T>): Promise<T> {
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
