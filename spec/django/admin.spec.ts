import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { remoteTask, type TaskResult } from 'typeorm-tasks'
import { until } from '../support/cli-app'
import { appOf } from '../support/temp-app'
import { catchLog } from '../support/tasks'
import { describeBesideDjango } from './harness/shared-table'

beforeAll(() => catchLog())

describeBesideDjango((shared) => {
  it("Django's admin opens the list and the page of each row of ours, whatever its state", async () => {
    const { django, run, tasks } = shared()
    const gate = join(appOf({}), 'gate')
    const add = remoteTask<[unknown, unknown]>('shared.tasks.add')
    const fail = remoteTask<[string]>('shared.tasks.fail')
    const finished = {
      successful: await add.enqueue('<b>naïve</b>', ' 😀'),
      empty: await remoteTask('shared.tasks.nothing').enqueue(),
      failed: await fail.enqueue('<i>broken</i> 😀'),
      retried: await fail
        .using({ retry: { maxAttempts: 3, delay: 3_600_000 } })
        .enqueue('once more'),
      unknownToUs: await remoteTask('nobody.knows').enqueue(),
      unknownToDjango: await remoteTask('node_app.progress').enqueue(),
      failedUnknownToDjango: await remoteTask('node_app.fail').enqueue(),
      keyed: await add
        .using({ uniqueKey: 'key-1', timeLimit: 60_000, maxAge: 3_600_000 })
        .enqueue(1, 2),
    }
    await run('db_worker', '--batch', '--worker-id', 'ours-1')
    const running = await remoteTask<[string]>('node_app.hold').enqueue(gate)
    const worker = tasks('db_worker', '--batch', '--worker-id', 'ours-2')
    await until(
      async () => (await running.refresh()).status === 'RUNNING',
      () => `RUNNING; the worker says:\n${worker.log}`,
    )
    const waiting = {
      ready: await add.using({ queueName: 'mail', priority: -100 }).enqueue(1, 2),
      delayed: await add.using({ runAfter: new Date('2100-01-02T03:04:05.678Z') }).enqueue(1, 2),
      cancelled: await (await add.using({ queueName: 'mail' }).enqueue(1, 2)).cancel(),
    }
    const results: Record<string, TaskResult<unknown>> = { ...finished, running, ...waiting }

    const [list, ...details] = await django.admin(...Object.values(results).map(({ id }) => id))
    writeFileSync(gate, '')
    await worker.closed

    for (const result of Object.values(results)) if (result !== running) await result.refresh()
    expect(
      Object.fromEntries(
        Object.entries(results).map(([name, { status, attempts }]) => [
          name,
          `${status} ${attempts}`,
        ]),
      ),
    ).toEqual({
      successful: 'SUCCESSFUL 1',
      empty: 'SUCCESSFUL 1',
      failed: 'FAILED 1',
      retried: 'READY 1',
      unknownToUs: 'FAILED 1',
      unknownToDjango: 'SUCCESSFUL 1',
      failedUnknownToDjango: 'FAILED 1',
      keyed: 'SUCCESSFUL 1',
      running: 'RUNNING 1',
      ready: 'READY 0',
      delayed: 'READY 0',
      cancelled: 'FAILED 0',
    })
    expect([list, ...details].filter((page) => page!.status !== 200)).toEqual([])
    expect(details).toHaveLength(Object.keys(results).length)
    const pageOf = (name: string): string => details[Object.keys(results).indexOf(name)]!.html
    for (const [name, { id }] of Object.entries(results))
      expect([name, list!.html.includes(id), pageOf(name).includes(id)]).toEqual([name, true, true])
    expect(pageOf('successful')).toContain('&lt;b&gt;naïve&lt;/b&gt; 😀')
    expect(pageOf('failed')).toContain('<pre>DomainError: &lt;i&gt;broken&lt;/i&gt; 😀\n')
    expect(pageOf('running')).toContain('Running')
    expect(pageOf('delayed')).toContain('2100-01-02 03:04:05.678000+00:00')
  }, 120_000)
})
