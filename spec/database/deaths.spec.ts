import { connect, createServer, type Server } from 'node:net'
import { DataSource, type DataSourceOptions } from 'typeorm'
import { DBTaskResult } from 'typeorm-tasks'
import { openOwn } from '#worker-data-source'
import { describeEachDatabase } from '../support/databases'

/** The last words of a server that is shut down, as it says them. */
const FATAL = message(
  'E',
  'SFATAL\0VFATAL\0C57P01\0Mterminating connection due to administrator command\0\0',
)
const READY = Buffer.from([0x5a, 0, 0, 0, 5, 0x49])

function message(kind: string, text: string): Buffer {
  const length = Buffer.alloc(4)
  length.writeInt32BE(4 + Buffer.byteLength(text))
  return Buffer.concat([Buffer.from(kind), length, Buffer.from(text)])
}

/** The way to a server, whose connections die as soon as they are made while `kills` is true. */
class DeadlyWay {
  kills = false
  killed = 0
  readonly #server: Server

  constructor(target: { host: string; port: number }) {
    this.#server = createServer((client) => {
      const server = connect(target.port, target.host)
      let isNew = this.kills
      client.pipe(server)
      server.on('data', (data) => {
        const isReady = isNew && data.includes(READY)
        if (!isReady) return void client.write(data)
        isNew = false
        this.killed += 1
        // In one packet: between the two nothing else of the process has its turn.
        client.end(Buffer.concat([data, FATAL]))
      })
      for (const each of [client, server]) each.on('error', () => {})
      client.on('close', () => server.destroy())
    })
  }

  async listen(): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
    const address = this.#server.address()
    return typeof address === 'object' && address ? address.port : 0
  }

  close(): void {
    this.#server.close()
  }
}

describeEachDatabase(
  (database) => {
    it('a connection of a worker that dies as soon as it is made does not end the process', async () => {
      const direct = (await database.fresh()) as DataSourceOptions & { host: string; port: number }
      const way = new DeadlyWay(direct)
      const app = await new DataSource({
        ...direct,
        port: await way.listen(),
        entities: [DBTaskResult],
        synchronize: true,
      } as DataSourceOptions).initialize()
      const own = await openOwn(app, 3)
      way.kills = true

      const runners = Array.from({ length: 3 }, () => own.createQueryRunner())
      await Promise.allSettled(runners.map((runner) => runner.query('SELECT 1')))
      expect(way.killed).toBeGreaterThan(0)
      way.kills = false
      expect(await own.query('SELECT 1 AS one')).toEqual([{ one: 1 }])

      await Promise.allSettled(runners.map((runner) => runner.release()))
      await own.destroy()
      await app.destroy()
      way.close()
    })
  },
  { only: ['postgres'] },
)
