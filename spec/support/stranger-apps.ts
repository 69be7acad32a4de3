/** The apps that strangers may have, as the files they would write. */
export interface StrangerApp {
  readonly title: string
  readonly typeorm: '1' | '0.3'
  readonly database: 'sqlite' | 'postgres' | 'mariadb'
  readonly language: 'js' | 'ts'
  readonly modules: 'commonjs' | 'esm'
}

export const apps: readonly StrangerApp[] = [
  {
    title: 'JavaScript, CommonJS, SQLite',
    typeorm: '1',
    database: 'sqlite',
    language: 'js',
    modules: 'commonjs',
  },
  {
    title: 'JavaScript, ES modules, PostgreSQL',
    typeorm: '1',
    database: 'postgres',
    language: 'js',
    modules: 'esm',
  },
  {
    title: 'TypeScript, CommonJS, MariaDB',
    typeorm: '1',
    database: 'mariadb',
    language: 'ts',
    modules: 'commonjs',
  },
  {
    title: 'TypeScript, ES modules, PostgreSQL',
    typeorm: '1',
    database: 'postgres',
    language: 'ts',
    modules: 'esm',
  },
  {
    title: 'TypeScript, CommonJS, PostgreSQL, TypeORM 0.3',
    typeorm: '0.3',
    database: 'postgres',
    language: 'ts',
    modules: 'commonjs',
  },
  {
    title: 'JavaScript, ES modules, MariaDB, TypeORM 0.3',
    typeorm: '0.3',
    database: 'mariadb',
    language: 'js',
    modules: 'esm',
  },
  {
    title: 'TypeScript, ES modules, SQLite, TypeORM 0.3',
    typeorm: '0.3',
    database: 'sqlite',
    language: 'ts',
    modules: 'esm',
  },
]

/** The files of an app, by path. */
export function filesOf(app: StrangerApp, connection: object): Record<string, string> {
  const esm = app.modules === 'esm'
  const manifest = { name: 'stranger', private: true, ...(esm ? { type: 'module' } : {}) }
  return app.language === 'ts'
    ? { 'package.json': JSON.stringify(manifest), ...typeScript(connection, esm) }
    : { 'package.json': JSON.stringify(manifest), ...javaScript(connection, esm) }
}

const work = (annotated: boolean): string =>
  `async (a${annotated ? ': number' : ''}, b${annotated ? ': number' : ''}) => ({ sum: a + b })`

function typeScript(connection: object, esm: boolean): Record<string, string> {
  const ending = esm ? '.js' : ''
  return {
    'tsconfig.json': JSON.stringify({
      compilerOptions: {
        target: 'es2022',
        module: 'nodenext',
        strict: true,
        experimentalDecorators: true,
        emitDecoratorMetadata: true,
        outDir: 'dist',
        rootDir: '.',
        skipLibCheck: true,
        types: ['node'],
      },
      include: ['src', 'migrations'],
    }),
    'src/note.ts': `import { Column, Entity, PrimaryGeneratedColumn } from 'typeorm'
@Entity()
export class Note {
  @PrimaryGeneratedColumn()
  id!: number
  @Column()
  text!: string
}
`,
    'src/data-source.ts': `import 'reflect-metadata'
import { DataSource } from 'typeorm'
import { configureTasks, DBTaskResult } from 'typeorm-tasks'
import { Note } from './note${ending}'
export const dataSource = new DataSource({ ...${JSON.stringify(connection)} as const, entities: [Note, DBTaskResult], migrations: [process.cwd() + '/dist/migrations/*.js'] })
export const TASKS = configureTasks({ default: { BACKEND: 'typeorm-tasks/backends/database#DatabaseBackend', OPTIONS: { dataSource } } })
`,
    'src/sums.tasks.ts': `import { task } from 'typeorm-tasks'
export const add = task('sums.add', ${work(true)})
`,
    'src/enqueue.ts': script(
      esm,
      [
        `import { dataSource } from './data-source${ending}'`,
        `import { add } from './sums.tasks${ending}'`,
      ],
      ENQUEUE,
    ),
    'src/read.ts': script(
      esm,
      [
        `import { DBTaskResult } from 'typeorm-tasks'`,
        `import { dataSource } from './data-source${ending}'`,
      ],
      READ.replace('process.argv[2]', 'String(process.argv[2])'),
    ),
  }
}

function javaScript(connection: object, esm: boolean): Record<string, string> {
  const imports = (line: string): string =>
    esm ? line : line.replace(/import (\{.*\}) from ('.*')/, 'const $1 = require($2)')
  const exported = (line: string): string =>
    esm
      ? `export ${line}`
      : `${line}\nmodule.exports = { ...module.exports, ${/const (\w+)/.exec(line)?.[1] ?? ''} }`
  return {
    'note.js': `${imports(`import { EntitySchema } from 'typeorm'`)}
${exported(`const Note = new EntitySchema({ name: 'Note', columns: { id: { type: Number, primary: true, generated: true }, text: { type: String } } })`)}
`,
    'data-source.js': `${imports(`import { DataSource } from 'typeorm'`)}
${imports(`import { configureTasks, DBTaskResult } from 'typeorm-tasks'`)}
${imports(`import { Note } from './note.js'`)}
${exported(`const dataSource = new DataSource({ ...${JSON.stringify(connection)}, entities: [Note, DBTaskResult], migrations: ['migrations/*.js'] })`)}
${exported(`const TASKS = configureTasks({ default: { BACKEND: 'typeorm-tasks/backends/database#DatabaseBackend', OPTIONS: { dataSource } } })`)}
`,
    'sums.tasks.js': `${imports(`import { task } from 'typeorm-tasks'`)}
${exported(`const add = task('sums.add', ${work(false)})`)}
`,
    'enqueue.js': script(
      true,
      [
        imports(`import { dataSource } from './data-source.js'`),
        imports(`import { add } from './sums.tasks.js'`),
      ],
      ENQUEUE,
    ),
    'read.js': script(
      true,
      [
        imports(`import { DBTaskResult } from 'typeorm-tasks'`),
        imports(`import { dataSource } from './data-source.js'`),
      ],
      READ,
    ),
  }
}

const ENQUEUE = `await dataSource.initialize()
  const result = await dataSource.transaction(async (manager) => await add.using({ manager }).enqueue(40, 2))
  console.log(result.id)
  await dataSource.destroy()`

const READ = `await dataSource.initialize()
  const row = await dataSource.getRepository(DBTaskResult).findOneByOrFail({ id: process.argv[2] })
  console.log(JSON.stringify({ status: row.status, returnValue: row.returnValue, workers: row.workerIds.length }))
  await dataSource.destroy()`

function script(_esm: boolean, imports: string[], body: string): string {
  return `${imports.join('\n')}\nasync function main() {\n  ${body}\n}\nmain().catch((error) => { console.error(error); process.exitCode = 1 })\n`
}
