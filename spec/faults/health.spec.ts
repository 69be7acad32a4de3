import { setTimeout as sleep } from 'node:timers/promises'
import type { DataSourceOptions } from 'typeorm'
import { describeEachDatabase } from '../support/databases'
import { Prober } from '../support/probing'
import type { Server } from '../support/servers/server'
import { serverNames, startServer } from '../support/servers/start'
import { Field } from './kit/field'
import { Kubelet } from './kit/kubelet'
import { becomes, NOT_READY, READY } from './kit/probed'
import { Proxy } from './kit/proxy'
import { LEASE } from './kit/timing'

describeEachDatabase(
  ({ name }) => {
    let server: Server
    beforeAll(async () => {
      server = await startServer(name)
    }, 60_000)
    afterAll(() => server.stop())

    it('a database that is stopped makes a worker not ready, and never dead, until it is back', async () => {
      const direct = { type: name, ...(await server.fresh()) } as DataSourceOptions
      const field = await Field.open(name, direct)
      const probes = await Prober.atFreePort()
      try {
        await field.worker(probes.args)
        await becomes(probes, READY)
        const kubelet = new Kubelet(probes)

        await server.kill()
        await becomes(probes, NOT_READY)
        await sleep(20_000)
        const isReady = kubelet.isReady
        const { problems, database } = await probes.report()
        await server.restart()
        await field.answers()
        await becomes(probes, READY)
        await kubelet.end()

        expect({ isReady, database, problems }).toEqual({
          isReady: false,
          database: 'away',
          problems: [expect.stringMatching(/^Its backend has not answered since 20\S+Z\.$/)],
        })
        expect({ restarts: kubelet.restarts, mostFailures: kubelet.mostFailures }).toEqual({
          restarts: 0,
          mostFailures: 0,
        })
        await field.enqueue('count')
        await field.finished()
        await field.verify()
      } finally {
        await field.close()
      }
    }, 90_000)

    it('a database that is silent does so, too, also while all places of the worker have long tasks', async () => {
      const direct = { type: name, ...(await server.fresh()) } as DataSourceOptions
      const proxy = await Proxy.to(direct as { host: string; port: number })
      const field = await Field.open(name, direct, { app: { port: proxy.port } })
      const probes = await Prober.atFreePort()
      try {
        await field.enqueue('sleep', [[6 * LEASE]])
        await field.worker([...probes.args, '--concurrency', '1'])
        await field.sees('start')
        await becomes(probes, READY)

        proxy.delay(4 * LEASE)
        await becomes(probes, NOT_READY)
        await sleep(2 * LEASE)
        const meanwhile = await probes.all()
        proxy.delay(0)
        proxy.cut()
        await becomes(probes, READY)

        expect(meanwhile).toEqual(NOT_READY)
      } finally {
        await field.close()
        await proxy.close()
      }
    }, 90_000)
  },
  { only: serverNames },
)
