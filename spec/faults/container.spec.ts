import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Field } from './kit/field'
import { scenarios, type Scenario } from './kit/scenario'
import { claimsOf, restartDelays, TAKEOVER_BOUND } from './kit/timing'
import type { WorkerProcess } from './kit/worker-process'

/** A process space of its own, as containers have: what is started first is process 1, and takes all others with it. */
const CONTAINER = ['unshare', '--pid', '--fork', '--mount-proc']

const refusal = whyNot()

/** Where the worker does not hear SIGTERM, with what PID 1 does of it. */
const DEAF: [string, (field: Field, line: readonly string[]) => readonly string[]][] = [
  [
    'npm run',
    (field, line) => (
      writeFileSync(
        join(field.root, 'package.json'),
        JSON.stringify({ name: 'faults', scripts: { worker: quoted(line) } }),
      ),
      ['npm', 'run', '--silent', 'worker']
    ),
  ],
  ['sh -c with more than one command', (_, line) => ['sh', '-c', `${quoted(line)}; echo ended`]],
]

const SPECS: [string, Scenario][] = [
  ...[1, 3].map((processes) =>
    adds(
      `F26 as process 1, of ${processes}, the worker finishes its task upon SIGTERM and takes no other`,
      async (field) => {
        await field.enqueue(
          'sleep',
          Array.from({ length: processes + 1 }, () => [5_000]),
        )
        const worker = await field.worker(
          ['--concurrency', '1', '--shutdown-timeout', '10', '--processes', `${processes}`],
          { command: (line) => [...CONTAINER, ...line] },
        )
        await field.sees('start', processes)
        const before = performance.now()

        process.kill(processOne(worker), 'SIGTERM')

        expect(await worker.ended).toEqual({ code: 0, signal: null })
        expect(performance.now() - before).toBeLessThan(9_000)
        expect(
          (await field.rows()).map(({ status, claims }) => `${status} ${claims}`).toSorted(),
        ).toEqual(['READY 0', ...Array<string>(processes).fill('SUCCESSFUL 1')])
        expect(field.events.map(({ pid }) => pid === 1)).toEqual(
          field.events.map(() => processes === 1),
        )
      },
    ),
  ),
  adds(
    'F26 a worker started by sh -c "exec …" is process 1 itself, and stops as one',
    async (field) => {
      await field.enqueue('sleep', [[1_000]])
      const worker = await field.worker([], {
        command: (line) => [...CONTAINER, 'sh', '-c', `exec ${quoted(line)}`],
      })
      await field.sees('start')

      process.kill(processOne(worker), 'SIGTERM')

      expect(await worker.ended).toEqual({ code: 0, signal: null })
      expect((await field.rows()).map(({ status }) => status)).toEqual(['SUCCESSFUL'])
    },
  ),
  ...DEAF.map(([what, wrap]) =>
    adds(
      `F26 a worker started by ${what} does not hear of the stop: it is killed, and its task runs again elsewhere in time`,
      async (field) => {
        const [id] = await field.enqueue('second', [[60_000]])
        const worker = await field.worker([], {
          command: (line) => [...CONTAINER, ...wrap(field, line)],
        })
        await field.sees('start')
        await field.worker()

        const init = processOne(worker)
        process.kill(init, 'SIGTERM')
        // As a container's keeper does after its patience.
        const patience = setTimeout(() => process.kill(init, 'SIGKILL'), 2_000)
        await worker.ended
        clearTimeout(patience)
        const killed = Date.now()
        await field.finished()

        expect(worker.log).not.toContain('shutting down')
        expect(claimsOf(field.events, id!)).toEqual([1, 2])
        expect(Math.max(...restartDelays(field.events, killed))).toBeLessThan(TAKEOVER_BOUND)
        expect(await field.row(id!)).toMatchObject({
          status: 'SUCCESSFUL',
          claims: 2,
          attemptErrors: [{ exceptionClassPath: 'typeorm_tasks.WorkerLost' }],
        })
      },
    ),
  ),
]

if (refusal === undefined) {
  scenarios((add, { name }) => {
    for (const [title, work] of SPECS)
      if (name === 'sqlite' || /as process 1|npm run/.test(title)) add(title, work)
  })
} else {
  const mustRun = process.env['CI'] && refusal.isThere && process.getuid?.() === 0
  const run = mustRun ? it : it.skip
  run('F26 needs process spaces', () => {
    throw new Error(refusal.why)
  })
  process.stderr.write(`F26 IS NOT RUN: ${refusal.why}\n`)
}

function adds(title: string, work: Scenario): [string, Scenario] {
  return [title, work]
}

function whyNot(): { why: string; isThere: boolean } | undefined {
  const [file = '', ...args] = CONTAINER
  const { status, error, stderr } = spawnSync(file, [...args, 'true'], { encoding: 'utf8' })
  return status === 0
    ? undefined
    : {
        why: `${CONTAINER.join(' ')}: ${error?.message ?? stderr.trim()}`,
        isThere: error === undefined,
      }
}

/** The process that the space was made for, by its number out here. */
function processOne({ pid }: WorkerProcess): number {
  return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8'))
}

function quoted(line: readonly string[]): string {
  return line.map((word) => `'${word.replaceAll("'", String.raw`'\''`)}'`).join(' ')
}
