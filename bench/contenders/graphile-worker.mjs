import { Logger, makeWorkerUtils, run as startRunner } from 'graphile-worker'
import pg from 'pg'

const logger = new Logger(() => () => {})

export async function open({ host, port, user, password, database }, settings) {
  const connectionString = `postgres://${user}:${password}@${host}:${port}/${database}`
  const preset = { worker: { connectionString, maxPoolSize: 20, logger, ...settings } }
  const pool = new pg.Pool({ connectionString, max: 2 })
  const utils = await makeWorkerUtils({ preset })
  return {
    install: () => utils.migrate(),
    add: (payload) => utils.addJob('bench', payload),
    addMany: (payloads) =>
      utils.addJobs(payloads.map((payload) => ({ identifier: 'bench', payload }))),
    async grow(kind, count) {
      // It keeps no job that has finished.
      if (kind === 'finished') return
      const runAt = kind === 'later' ? { runAt: new Date(Date.now() + 86_400_000) } : {}
      for (let left = count; left > 0; left -= 1_000)
        await utils.addJobs(
          Array.from({ length: 1_000 }, () => ({ identifier: 'bench', payload: {}, ...runAt })),
        )
      await pool.query('ANALYZE')
    },
    work: ({ run }) =>
      startRunner({
        preset,
        noHandleSignals: true,
        taskList: { bench: (payload) => run(payload) },
      }),
    left: async () =>
      Number(
        (
          await pool.query(
            'SELECT count(*) AS n FROM graphile_worker._private_jobs WHERE run_at <= now()',
          )
        ).rows[0].n,
      ),
    async hold() {
      const client = await pool.connect()
      await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ')
      await client.query('SELECT count(*) FROM graphile_worker._private_jobs')
    },
  }
}
