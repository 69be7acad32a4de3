import { spawn } from 'node:child_process'
import { mkdtempSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describeOnRedis, freshPrefix, redisUrl } from '../support/redis'

const root = join(__dirname, '../..')
/** Far more than it takes, and less than until a connection is given up. */
const SOON_MS = 8_000

/** A program that does nothing but this. `options`: further OPTIONS, as code. */
async function programOf(
  enqueue: string,
  url: string,
  { begin = '', options = '' } = {},
): Promise<{ told: string; ms: number }> {
  const source = `
    const { allBackends, atomic, configureTasks, DBTaskResult, task } = require(${JSON.stringify(join(root, 'dist'))})
    const greet = task('redisEnds.greet', async () => 'hello')
    ${begin}
    const OPTIONS = { connection: ${JSON.stringify(url)}, prefix: ${JSON.stringify(freshPrefix())}, ${options} }
    configureTasks({ default: { BACKEND: 'typeorm-tasks/backends/bullmq#BullMQBackend', QUEUES: ['default'], OPTIONS } })
    const begun = performance.now()
    process.on('exit', () => console.log('ms=' + (performance.now() - begun)))
    ;${enqueue}.then((done) => console.log(done), (error) => console.log(error.message))`
  const child = spawn(process.execPath, ['-e', source], { stdio: ['ignore', 'pipe', 'inherit'] })
  let told = ''
  child.stdout.on('data', (data: Buffer) => (told += data.toString()))
  await new Promise((resolve) => child.once('exit', resolve))
  return { told, ms: Number(/ms=([\d.]+)/.exec(told)?.[1]) }
}

/** The way to Redis, on which each answer takes so long. */
async function slowWay(answerMs: number): Promise<{ port: number; db: number; close(): void }> {
  const { hostname, port, pathname } = new URL(redisUrl())
  const server = createServer((client) => {
    const redis = connect(Number(port), hostname)
    client.pipe(redis)
    redis.on('data', (data) => void setTimeout(() => client.write(data), answerMs))
    for (const each of [client, redis]) each.on('error', () => {})
    client.once('close', () => redis.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('it listens to no port')
  return { port: address.port, db: Number(pathname.slice(1)), close: () => void server.close() }
}

describeOnRedis('a program that has nothing else to do', () => {
  it('ends by itself once its tasks are enqueued, and none of them is lost', async () => {
    const many = 'Promise.all(Array.from({ length: 300 }, () => greet.enqueue()))'
    const { told, ms } = await programOf(
      `${many}.then(async () => (await allBackends()[0].counts()).READY)`,
      redisUrl(),
    )

    expect(told).toContain('300\n')
    expect(ms).toBeLessThan(SOON_MS)
  })

  it('ends by itself where Redis is away, after the error', async () => {
    const { told, ms } = await programOf('greet.enqueue()', 'redis://127.0.0.1:1')

    expect(told).toContain('ECONNREFUSED')
    expect(ms).toBeLessThan(SOON_MS)
  })

  it('and closes its backend loses nothing that it has not awaited, also before the first connection', async () => {
    const prefix = freshPrefix()
    const { close, ...way } = await slowWay(100)
    const { told, ms } = await programOf(
      `(async () => {
        let written = 0
        const calls = [
          ...Array.from({ length: 30 }, () => greet.enqueue()),
          greet.enqueueMany(Array.from({ length: 70 }, () => []))
        ]
        for (const call of calls) call.then(() => written++)
        void allBackends()[0].close()
        // Both wait.
        await allBackends()[0].close()
        return written + ' calls, ' + (await allBackends()[0].counts()).READY
      })()`,
      redisUrl(),
      { options: `prefix: '${prefix}', connection: ${JSON.stringify(way)}` },
    )
    close()

    expect(told).toContain('31 calls, 100\n')
    expect(ms).toBeLessThan(SOON_MS)
  })

  it('and closes its backend where Redis is away ends soon after, too', async () => {
    const { told, ms } = await programOf(
      `Promise.allSettled([greet.enqueue(), allBackends()[0].close()]).then(([enqueued]) => enqueued.reason.message)`,
      'redis://127.0.0.1:1',
    )

    expect(told).toContain('cannot be reached')
    expect(ms).toBeLessThan(SOON_MS)
  })

  it('that is a relay does not end before Redis has answered', async () => {
    const file = join(mkdtempSync(join(tmpdir(), 'relay-ends-')), 'app.db')
    const begin = `
      const { DataSource } = require(${JSON.stringify(join(root, 'node_modules/typeorm'))})
      const dataSource = new DataSource({ type: 'better-sqlite3', database: ${JSON.stringify(file)}, entities: [DBTaskResult], synchronize: true })
      const relay = async () => {
        await dataSource.initialize()
        await atomic(dataSource, () => greet.enqueue())
        await allBackends()[0].relay().drain(new AbortController().signal)
        return 'left=' + (await dataSource.getRepository(DBTaskResult).count())
      }`
    const { close, ...way } = await slowWay(300)
    // Without time limits, whose timers would keep the process alive.
    const connection = `{ ...${JSON.stringify(way)}, commandTimeout: undefined, socketTimeout: undefined }`
    const options = `dataSource, connection: ${connection}`
    const { told, ms } = await programOf('relay()', '', { begin, options })
    close()

    expect(told).toContain('left=0\n')
    expect(ms).toBeLessThan(SOON_MS)
  })
})
