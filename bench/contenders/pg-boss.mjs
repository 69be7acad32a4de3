import pg from 'pg'
import { PgBoss } from 'pg-boss'

export async function open(
  { host, port, user, password, database },
  { notify = false, ...settings },
) {
  const connectionString = `postgres://${user}:${password}@${host}:${port}/${database}`
  const boss = new PgBoss({ connectionString, max: 20, useListenNotify: notify })
  boss.on('error', (error) => console.error(error))
  const pool = new pg.Pool({ connectionString, max: 2 })
  await boss.start()
  return {
    install: () => boss.createQueue('bench', { notify }),
    add: (payload) => boss.send('bench', payload),
    addMany: (payloads) =>
      boss.insert(
        'bench',
        payloads.map((data) => ({ data })),
      ),
    work: ({ run }) =>
      boss.work('bench', { pollingIntervalSeconds: 0.5, ...settings }, (jobs) =>
        Promise.all(jobs.map((job) => run(job.data))),
      ),
    left: async () =>
      Number(
        (
          await pool.query(
            "SELECT count(*) AS n FROM pgboss.job WHERE name = 'bench' AND state < 'completed'",
          )
        ).rows[0].n,
      ),
  }
}
