import { spawnSync } from 'node:child_process'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseAllDocuments } from 'yaml'
import { Program, until } from '../support/cli-app'
import { repository } from '../support/linked-app'
import { blocksOf } from '../support/markdown'
import { Prober } from '../support/probing'
import { appOf } from '../support/temp-app'
import { typeormEnv } from '../support/typeorm'

/** A value of a file, read without knowing what it is. */
class Value {
  readonly #value: unknown

  constructor(value: unknown) {
    this.#value = value
  }

  at(...path: (string | number)[]): Value {
    let value = this.#value
    for (const key of path) value = (value as Record<string | number, unknown> | undefined)?.[key]
    return new Value(value)
  }

  get raw(): unknown {
    return this.#value
  }

  get texts(): string[] {
    return (Array.isArray(this.#value) ? this.#value : []).map(String)
  }
}

const blocks = blocksOf('docs/operations/deployment.md')
const files = new Map(
  blocks
    .filter(({ language }) => ['yaml', 'ini'].includes(language))
    .map(({ text }) => [/^# (\S+)$/m.exec(text)?.[1] ?? '', text]),
)

function yamlOf(name: string): Value {
  const [document, ...others] = parseAllDocuments(files.get(name) ?? '')
  if (!document || 'empty' in document || others.length > 0)
    throw new Error(`${name} has no document`)
  expect([...document.errors, ...document.warnings]).toEqual([])
  return new Value(document.toJS())
}

function secondsOf(text: unknown): number {
  const [, number = '', unit = ''] = /^(\d+)(s|m|min)?$/.exec(String(text)) ?? []
  return Number(number) * (unit.startsWith('m') ? 60 : 1)
}

/** Seconds that a worker takes at most to stop, and some to spare. */
const STOP_SECONDS = 30 + 5

it('the page has the files that it speaks of', () => {
  expect([...files.keys()]).toEqual([
    'migrate.yaml',
    'worker.yaml',
    'compose.yaml',
    'app-worker.service',
    'app-worker-health.service',
    'app-worker-health.timer',
  ])
})

describe('the files for Kubernetes', () => {
  const pod = (name: string) => yamlOf(name).at('spec', 'template', 'spec')
  const container = (name: string) => pod(name).at('containers', 0)

  it('have a Deployment that selects its own pods, and gives them time to stop', () => {
    const worker = yamlOf('worker.yaml')

    expect([worker.at('apiVersion').raw, worker.at('kind').raw]).toEqual(['apps/v1', 'Deployment'])
    expect(worker.at('spec', 'selector', 'matchLabels').raw).toEqual(
      worker.at('spec', 'template', 'metadata', 'labels').raw,
    )
    expect(container('worker.yaml').at('args').texts).toContain('--shutdown-timeout=30')
    expect(pod('worker.yaml').at('terminationGracePeriodSeconds').raw).toBeGreaterThanOrEqual(
      STOP_SECONDS,
    )
  })

  it('have a Job that is never restarted in its place, and the image of the workers', () => {
    const job = yamlOf('migrate.yaml')

    expect([job.at('apiVersion').raw, job.at('kind').raw]).toEqual(['batch/v1', 'Job'])
    expect(pod('migrate.yaml').at('restartPolicy').raw).toBe('Never')
    expect(container('migrate.yaml').at('image').raw).toBe(container('worker.yaml').at('image').raw)
  })

  it('have commands that work: the Job makes the table, and the probes find a worker ready', async () => {
    const root = deployed()
    const job = container('migrate.yaml')
    const [shell = '', ...first] = job.at('command').texts
    const migrated = spawnSync(shell, [...first, ...job.at('args').texts], {
      cwd: root,
      env: typeormEnv(),
      encoding: 'utf8',
    })
    expect([migrated.status, migrated.stderr]).toEqual([0, expect.any(String)])

    const worker = container('worker.yaml')
    const probes = await Prober.atFreePort()
    const port = worker.at('ports', 0, 'containerPort').raw
    const [node, ...command] = [...worker.at('command').texts, ...worker.at('args').texts]
    expect([node, command]).toEqual([
      'node',
      expect.arrayContaining([`--health-port=${String(port)}`]),
    ])
    const [file = '', ...args] = command.map((arg) =>
      arg === `--health-port=${String(port)}` ? `--health-port=${probes.port}` : arg,
    )
    const running = new Program(root, join(root, file), args)
    for (const probe of ['startupProbe', 'livenessProbe', 'readinessProbe']) {
      const { path, port: named } = worker.at(probe, 'httpGet').raw as Record<string, string>
      expect(named).toBe(worker.at('ports', 0, 'name').raw)
      await until(
        async () => (await probes.status(path ?? '')) === 200,
        () => `${probe}: ${running.log}`,
      )
    }
    running.kill('SIGTERM')
    expect(await running.exited).toEqual({ code: 0, signal: null })
  })
})

describe('the file for Compose', () => {
  const compose = () => yamlOf('compose.yaml')
  const worker = () => compose().at('services', 'worker')

  it('starts the worker after the migration, probes it by its own port, and gives it time to stop', () => {
    const services = Object.keys(compose().at('services').raw as object)

    expect(services).toEqual(['database', 'migrate', 'worker'])
    expect(worker().at('depends_on').raw).toEqual({
      migrate: { condition: 'service_completed_successfully' },
    })
    const test = worker().at('healthcheck', 'test').texts
    expect(worker().at('command').texts).toContain(`--health-port=${test.at(-1)}`)
    expect(test.slice(0, -1)).toEqual([
      'CMD',
      'node',
      'node_modules/.bin/tasks',
      'health',
      '--port',
    ])
    expect(secondsOf(worker().at('stop_grace_period').raw)).toBeGreaterThanOrEqual(STOP_SECONDS)
    // Longer than the command waits for an answer.
    expect(secondsOf(worker().at('healthcheck', 'timeout').raw)).toBeGreaterThan(3)
    expect(worker().at('environment').raw).toEqual(
      compose().at('services', 'migrate', 'environment').raw,
    )
  })
})

describe('the files for systemd', () => {
  const units = [...files].filter(([name]) => /\.(service|timer)$/.test(name))
  const settingsOf = (name: string) =>
    new Map(
      [...(files.get(name) ?? '').matchAll(/^(\w+)=(.*)$/gm)].map(([, key = '', value = '']) => [
        key,
        value,
      ]),
    )

  it.each(units)('%s holds sections and settings, and nothing else', (_, text) => {
    const strange = text
      .trimEnd()
      .split('\n')
      .filter((line) => !/^(|#.*|\[(Unit|Service|Timer|Install)\]|[A-Z]\w+=.+)$/.test(line))
    expect(strange).toEqual([])
  })

  it('give a worker time to stop, and read the file that it writes', () => {
    const worker = settingsOf('app-worker.service')
    const [, file = ''] = /--health-file (\S+)$/.exec(worker.get('ExecStart') ?? '') ?? []

    expect(secondsOf(worker.get('TimeoutStopSec'))).toBeGreaterThanOrEqual(STOP_SECONDS)
    expect(file).toBe(`/run/${worker.get('RuntimeDirectory')}/health.json`)
    expect(settingsOf('app-worker-health.service').get('ExecStart')).toContain(
      `health --file ${file} `,
    )
  })

  const hasSystemd = spawnSync('systemd-analyze', ['--version']).status === 0
  ;(hasSystemd ? it : it.skip)('pass systemd-analyze verify', () => {
    const folder = appOf({})
    for (const [name, text] of units) {
      const here = text.replace('/usr/bin/node', process.execPath).replaceAll('/srv/app', folder)
      writeFileSync(join(folder, name), here)
    }

    const { status, stdout, stderr } = spawnSync(
      'systemd-analyze',
      ['verify', '--man=no', ...units.map(([name]) => join(folder, name))],
      { encoding: 'utf8' },
    )

    const ours = `${stdout}${stderr}`.split('\n').filter((line) => line.includes('app-worker'))
    expect({ status, ours }).toEqual({ status: 0, ours: [] })
  })
})

/** An app as it is deployed: compiled, with its migration. */
function deployed(): string {
  const root = appOf(
    {
      'dist/data-source.js': `
        const { join } = require('node:path')
        const { DataSource } = require('typeorm')
        const { DBTaskResult } = require('typeorm-tasks')
        exports.dataSource = new DataSource({
          type: 'better-sqlite3',
          database: join(__dirname, '../app.sqlite'),
          entities: [DBTaskResult],
          migrations: [join(__dirname, 'migrations/*.js')],
        })`,
      'dist/mail.tasks.js': `require('typeorm-tasks').task('mail.send', async () => {})`,
    },
    { 'typeorm-tasks': '..' },
  )
  mkdirSync(join(root, 'node_modules/.bin'))
  mkdirSync(join(root, 'dist/migrations'))
  symlinkSync(join(repository, 'dist/cli/index.js'), join(root, 'node_modules/.bin/tasks'))
  const made = spawnSync(
    process.execPath,
    ['node_modules/.bin/tasks', 'makemigrations', '-d', 'dist/data-source.js'],
    { cwd: root, encoding: 'utf8', env: typeormEnv() },
  )
  expect([made.status, made.stderr]).toEqual([0, expect.any(String)])
  return root
}
