import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { tasksIn } from '../support/cli-app'
import { Prober } from '../support/probing'
import { Kubelet } from './kit/kubelet'
import { becomes, READY } from './kit/probed'
import { scenarios } from './kit/scenario'

scenarios((add) => {
  add(
    'a worker whose event loop is blocked for 30 seconds is not live, by port and by file, and would be started again',
    async (field) => {
      const probes = await Prober.atFreePort()
      const file = join(field.root, 'health.json')
      const byFile = () => tasksIn(field.root, 'health', '--file', file, '--max-age', '5')
      await field.worker([...probes.args, '--health-file', file])
      await becomes(probes, READY)
      const before = await byFile()
      const kubelet = new Kubelet(probes)
      await field.enqueue('block', [[30_000]])
      await field.sees('start')
      await sleep(8_000)

      const during = await probes.all()
      const told = await byFile()
      await field.finished(undefined, 60_000)
      await becomes(probes, READY)
      await kubelet.end()

      expect(during).toEqual([0, 0, 0])
      expect([before.code, told.code]).toEqual([0, 1])
      expect(told.stderr).toContain('its event loop is blocked: start it again.')
      expect(kubelet.restarts).toBe(1)
    },
    { on: ['sqlite', 'postgres'] },
  )
})
