/** A workspace as files by path: packages built with project references (@built), and others that are used as sources (@source). */
export function workspaceFiles(database: string): Record<string, unknown> {
  return {
    'tsconfig.base.json': { compilerOptions: COMPILER },
    ...built('db', [], { 'index.ts': dataSource(`${database}-built`) }),
    ...built('tasks', [], { 'index.ts': TASKS }),
    ...built('api', ['db', 'tasks'], { 'enqueue.ts': enqueue('@built') }),
    ...built('worker', ['db', 'tasks'], { 'worker.ts': WORKER }),
    ...source('db', {
      'data-source.ts': `${dataSource(`${database}-source`)}export const TASK_MODULES = ['../tasks/src/*.tasks.ts']\n`,
    }),
    ...source('tasks', { 'sums.tasks.ts': TASKS }),
    ...source('api', { 'enqueue.ts': enqueue('@source') }),
    'source/tsconfig.json': { extends: '../tsconfig.base.json' },
  }
}

/** Packages that `tsc -b` builds: each with its own declarations, which the others compile against. */
const COMPILER = {
  target: 'es2022',
  module: 'commonjs',
  moduleResolution: 'node10',
  composite: true,
  strict: true,
  experimentalDecorators: true,
  emitDecoratorMetadata: true,
  skipLibCheck: true,
  types: ['node'],
}

function built(name: string, uses: readonly string[], files: Record<string, string>): object {
  return {
    [`built/${name}/package.json`]: {
      name: `@built/${name}`,
      version: '1.0.0',
      main: 'dist/index.js',
      types: 'dist/index.d.ts',
    },
    [`built/${name}/tsconfig.json`]: {
      extends: '../../tsconfig.base.json',
      compilerOptions: { rootDir: 'src', outDir: 'dist' },
      include: ['src'],
      references: uses.map((used) => ({ path: `../${used}` })),
    },
    ...within(`built/${name}/src`, files),
  }
}

function source(name: string, files: Record<string, string>): object {
  const [main] = Object.keys(files)
  return {
    [`source/${name}/package.json`]: {
      name: `@source/${name}`,
      version: '1.0.0',
      exports: `./src/${main}`,
    },
    ...within(`source/${name}/src`, files),
  }
}

function within(folder: string, files: Record<string, string>): object {
  return Object.fromEntries(
    Object.entries(files).map(([name, text]) => [`${folder}/${name}`, text]),
  )
}

const dataSource = (database: string): string => `import 'reflect-metadata'
import { DataSource } from 'typeorm'
import { configureTasks } from 'typeorm-tasks'
import { DBTaskResult } from 'typeorm-tasks/entities'
export const dataSource = new DataSource({
  type: 'better-sqlite3',
  database: ${JSON.stringify(database)},
  entities: [DBTaskResult],
  synchronize: true,
})
export const TASKS = configureTasks({
  default: { BACKEND: 'typeorm-tasks/backends/database#DatabaseBackend', OPTIONS: { dataSource } },
})
`

const TASKS = `import { type CarriedByJson, task } from 'typeorm-tasks'
function define<A extends unknown[], R>(
  name: string,
  fn: ((...args: A) => Promise<R>) & CarriedByJson<A, Promise<R>>,
) {
  return task(name, fn)
}
export const add = define('sums.add', async (a: number, b: number) => ({ sum: a + b }))
`

/** One task in a transaction that commits, one in a transaction that does not. */
const enqueue = (scope: string): string => `import { dataSource } from '${scope}/db'
import { add } from '${scope}/tasks'
async function main(): Promise<void> {
  await dataSource.initialize()
  const result = await dataSource.transaction((manager) => add.using({ manager }).enqueue(40, 2))
  await dataSource
    .transaction(async (manager) => {
      await add.using({ manager }).enqueue(1, 1)
      throw new Error('rolled back')
    })
    .catch(() => {})
  console.log(JSON.stringify([result.id]))
  await dataSource.destroy()
}
main().catch((error) => {
  console.error(error)
  process.exitCode = 1
})
`

const WORKER = `import '@built/tasks'
import { dataSource } from '@built/db'
import { runUntilEmpty } from 'typeorm-tasks'
async function main(): Promise<void> {
  await dataSource.initialize()
  console.log(JSON.stringify(await runUntilEmpty()))
  await dataSource.destroy()
}
main().catch((error) => {
  console.error(error)
  process.exitCode = 1
})
`
