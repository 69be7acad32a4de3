import { runUntilEmpty, schedule, startWorker, task } from 'typeorm-tasks'
import { schedules } from '../../lib/schedules/registry'
import { change, closeServed, serve, served, Tab } from '../support/dashboard'
import { describeOnRedis } from '../support/redis'
import { redisApp } from '../support/redis-app'
import { patient } from '../support/tasks'

const fine = task('redisPage.fine', (value: number) => value)
const login = task('redisPage.login', (user: { name: string; password: string }) => {
  throw new Error(`no ${user.name} with ${user.password}`)
})

describeOnRedis('the dashboard', () => {
  const { ground } = redisApp({ queues: ['default', 'mail'] })

  afterEach(async () => {
    await closeServed()
    await ground.clear()
    schedules.clear()
  })

  async function becomes(look: () => boolean | Promise<boolean>): Promise<void> {
    const deadline = Date.now() + 20_000
    while (!(await look())) {
      if (Date.now() > deadline) throw new Error(`It has not come to be so: ${String(look)}`)
      await new Promise((done) => setTimeout(done, 50))
    }
  }

  it('lists tasks page by page, the newest first, and counts them', async () => {
    const all = await fine.enqueueMany(Array.from({ length: 5 }, (_, i) => [i] as [number]))
    const ids = all.map(({ id }) => id).toReversed()
    const ask = await serve()

    const first = await ask('tasks?limit=2&state=READY&task=redisPage.fine')
    expect(first.body.tasks.map(({ id }: { id: string }) => id)).toEqual(ids.slice(0, 2))
    const next = await ask(`tasks?limit=3&before=${first.body.next}`)
    expect(next.body.tasks.map(({ id }: { id: string }) => id)).toEqual(ids.slice(2))
    expect((await ask('tasks?state=FAILED')).body.tasks).toEqual([])
    const [backend] = (await ask('overview')).body.backends
    expect(backend).toMatchObject({ alias: 'default', problem: null })
    expect(backend.queues).toContainEqual(
      expect.objectContaining({ name: 'default', due: 5, running: 0 }),
    )
  })

  it('shows a task without what is secret, in arguments and in the traceback that quotes them', async () => {
    const { id } = await login.enqueue({ name: 'ann', password: 'hunter22' })
    await runUntilEmpty()
    const { status, body } = await (await serve())(`tasks/${id}`)
    expect(status).toBe(200)
    expect(body).toMatchObject({
      task: 'redisPage.login',
      status: 'FAILED',
      args: [{ name: 'ann' }],
    })
    expect(body.errors[0].traceback).toContain('no ann with [redacted]')
    expect(JSON.stringify(body)).not.toContain('hunter22')
  })

  it('cancels what waits and what runs, and retries what has failed', async () => {
    const ask = await serve()
    const waiting = await fine.enqueue(1)
    const one = change({ ids: [waiting.id] })
    expect((await ask('tasks/cancel', one)).body.changed).toEqual([waiting.id])
    expect((await waiting.refresh()).errors.at(-1)?.exceptionClassPath).toContain('TaskCancelled')
    expect((await ask('tasks/retry', one)).body.changed).toEqual([waiting.id])
    expect((await waiting.refresh()).status).toBe('READY')

    const running = await patient.enqueue()
    const worker = await startWorker({ interval: 100 })
    await becomes(async () => (await running.refresh()).status === 'RUNNING')
    await ask('tasks/cancel', change({ ids: [running.id] }))
    await becomes(async () => (await running.refresh()).status === 'FAILED')
    await worker.stop()
    expect((await waiting.refresh()).returnValue).toBe(1)
  })

  it('pauses and resumes a queue', async () => {
    const ask = await serve()
    await ask('queues/mail/pause', change({ reason: 'moving' }))
    const paused = async () =>
      (await ask('overview')).body.backends[0].queues.find(
        ({ name }: { name: string }) => name === 'mail',
      )?.paused
    expect(await paused()).toMatchObject({ reason: 'moving' })
    await ask('queues/mail/resume', change({}))
    expect((await paused()) ?? null).toBeNull()
  })

  it('tells what changes, shows workers, schedules and the flow of a task', async () => {
    schedule('redisPage.nightly', fine, { cron: '0 2 * * *', args: () => [1] })
    const { api } = await served()
    const tab = await Tab.open(api, 'tasks?limit=1', 'workers')
    await becomes(() => tab.of('tasks?limit=1').length === 1)
    const { id } = await fine.enqueue(1)
    await becomes(() => tab.of('tasks?limit=1').length === 2)
    expect(tab.of('tasks?limit=1')[1]?.data.value.tasks).toMatchObject([{ id }])
    tab.leave()

    const ask = await serve()
    expect(JSON.stringify((await ask('schedules')).body)).toContain('redisPage.nightly')
    const flow = await fine
      .order(1)
      .next((value) => fine.order(value))
      .enqueue()
    expect((await ask(`tasks/${flow.last.id}`)).body).toMatchObject({ id: flow.last.id })
    expect((await ask('tasks?state=WAITING')).body.tasks).toMatchObject([{ id: flow.last.id }])
  })
})
