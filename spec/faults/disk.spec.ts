import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { DataSourceOptions } from 'typeorm'
import { databases } from '../support/databases'
import type { Server } from '../support/servers/server'
import { startServer } from '../support/servers/start'
import type { DatabaseName } from '../support/servers/wanted'
import { Field } from './kit/field'
import { SmallDisk } from './kit/small-disk'

const MEGABYTES = { sqlite: 16, postgres: 160, mariadb: 320, mysql: 320 }
/** What each database says of a full disk; InnoDB, which cannot write pages that it has promised to, ends its server. */
const SAYS = {
  sqlite: /disk is full/,
  postgres: /No space left on device/,
  mariadb: /is full|No space left|Connection lost|ECONNRE/,
  mysql: /is full|No space left|Connection lost|ECONNRE/,
}
const preload = join(__dirname, 'kit/claim-numbers.cjs')
const BIG = 'x'.repeat(200_000)

describe.each(databases())('on $name', ({ name }) => {
  it('F48 with a full disk an enqueue fails with what the database says, the worker goes on asking, and nothing is lost once there is space', async () => {
    const disk = SmallDisk.ofMegabytes(MEGABYTES[name])
    if (!disk)
      return void process.stderr.write(
        '\n*** F48 was not tried: only root on Linux may make the small disk that it fills. ***\n\n',
      )
    const { options, server } = await databaseOn(disk, name)
    const field = await Field.open(name, options)
    try {
      const before = await field.enqueue(
        'long.sleep',
        Array.from({ length: 30 }, () => [50]),
      )
      const worker = await field.worker(['--concurrency', '2'], { preload })
      await field.sees('end', 2)
      disk.fill()
      const refusal = await enqueueUntilRefused(field)
      await sleep(3_000)
      const isAlive = !worker.isOver
      disk.free()
      // A server that ended itself is started again, as a supervisor would.
      if (server) await field.answers(1_000).catch(() => server.restart())
      await field.answers()

      const after = await field.enqueue('long.sleep', [[1]])
      await field.finished(undefined, 40_000)

      expect(refusal).toMatch(SAYS[name])
      expect(isAlive).toBe(true)
      expect(
        (await field.rows()).filter(
          ({ id, status }) => [...before, ...after].includes(id) && status !== 'SUCCESSFUL',
        ),
      ).toEqual([])
      // There every write goes to new pages, so that claims failed too, and were told.
      if (name === 'sqlite') await worker.says(/The backend did not answer .*disk is full/)
      await field.verify({ unstarted: true, unsure: true })
    } finally {
      await field.close()
      await server?.stop()
      disk.close()
    }
  }, 120_000)
})

/** A server, or a file, whose data is on that disk. */
async function databaseOn(
  disk: SmallDisk,
  name: DatabaseName,
): Promise<{ options: DataSourceOptions; server?: Server }> {
  if (name === 'sqlite')
    return {
      options: {
        type: 'better-sqlite3',
        database: join(disk.folder, 'spec.sqlite'),
        enableWAL: true,
      },
    }
  const server = await startServer(name, disk.folder)
  return { options: { type: name, ...(await server.fresh()) } as DataSourceOptions, server }
}

async function enqueueUntilRefused(field: Field): Promise<string> {
  for (let tries = 0; tries < 200; tries++) {
    const error = await field.enqueue('count', [[BIG]]).then(
      () => undefined,
      (refusal: unknown) => String(refusal),
    )
    if (error !== undefined) return error
  }
  return 'nothing'
}
