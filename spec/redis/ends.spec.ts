import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { describeOnRedis, freshPrefix, redisUrl } from '../support/redis'

const root = join(__dirname, '../..')
/** Far more than it takes, and less than until a connection is given up. */
const SOON_MS = 8_000

/** A program that does nothing but this. */
async function programOf(enqueue: string, url: string): Promise<{ told: string; ms: number }> {
  const source = `
    const { allBackends, configureTasks, task } = require(${JSON.stringify(join(root, 'dist'))})
    const greet = task('redisEnds.greet', async () => 'hello')
    const OPTIONS = { connection: ${JSON.stringify(url)}, prefix: ${JSON.stringify(freshPrefix())} }
    configureTasks({ default: { BACKEND: 'typeorm-tasks/backends/bullmq#BullMQBackend', QUEUES: ['default'], OPTIONS } })
    const begun = performance.now()
    process.on('exit', () => console.log('ms=' + (performance.now() - begun)))
    ${enqueue}.then((done) => console.log(done), (error) => console.log(error.message))`
  const child = spawn(process.execPath, ['-e', source], { stdio: ['ignore', 'pipe', 'inherit'] })
  let told = ''
  child.stdout.on('data', (data: Buffer) => (told += data.toString()))
  await new Promise((resolve) => child.once('exit', resolve))
  return { told, ms: Number(/ms=([\d.]+)/.exec(told)?.[1]) }
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
})
