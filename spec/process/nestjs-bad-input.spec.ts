import { cliApp, type CliApp } from '../support/cli-app'
import { linkInto } from '../support/packed'

jest.setTimeout(120_000)

const MODULES = `
  require('reflect-metadata')
  const { Module } = require('@nestjs/common')
  const { TasksModule } = require('typeorm-tasks/nestjs')
  const moduleOf = (metadata) => {
    class AppModule {}
    Module(metadata)(AppModule)
    return AppModule
  }
  const tasks = (BACKEND) => ({ imports: [TasksModule.forRoot({ tasks: { default: { BACKEND } } })] })
  class Dependency {}
  class Needy {}
  Reflect.defineMetadata('design:paramtypes', [Dependency], Needy)
  exports.Needing = moduleOf({ providers: [Needy] })
  exports.Bare = moduleOf({})
  exports.Memory = moduleOf(tasks('typeorm-tasks/backends/immediate#ImmediateBackend'))
  exports.NoSource = moduleOf(tasks('typeorm-tasks/backends/database#DatabaseBackend'))
  exports.number = 42`

let app: CliApp
beforeAll(async () => {
  app = await cliApp({ files: { 'app.module.js': MODULES } })
  for (const name of ['@nestjs', 'rxjs']) linkInto(app.root, name)
})

const EXPORTS = 'its exports are: Needing, Bare, Memory, NoSource, number.'

it.each([
  [
    'nowhere.js',
    "argument --nest: the file ROOT/nowhere.js does not exist. Give the file of the app's module, and its export: --nest dist/app.module.js#AppModule; compile the app first.",
  ],
  [
    'app.module.js',
    `argument --nest: ROOT/app.module.js does not export a module AppModule; ${EXPORTS} Name the module: --nest ROOT/app.module.js#Needing.`,
  ],
  [
    'app.module#Bar',
    `argument --nest: ROOT/app.module.js does not export a module Bar; ${EXPORTS} Did you mean "Bare"?`,
  ],
  [
    'app.module.js#number',
    'argument --nest: the export number of ROOT/app.module.js is no module of Nest, got 42. Name the class that has @Module: --nest ROOT/app.module.js#AppModule.',
  ],
  [
    'app.module.js#Bare',
    'Bare of ROOT/app.module.js configures no tasks. Import TasksModule.forRoot({ tasks: … }) of "typeorm-tasks/nestjs" in it.',
  ],
  [
    'app.module.js#Memory',
    'Memory of ROOT/app.module.js has no DataSource: none of its TASKS is in a database, and it provides none. Use DatabaseBackend in TASKS, or import TypeOrmModule.forRoot({ … }).',
  ],
  [
    'app.module.js#NoSource',
    'TASKS.default has no OPTIONS.dataSource, and the app provides no DataSource. Import TypeOrmModule.forRoot',
  ],
  [
    'app.module.js#Needing',
    "Needing of ROOT/app.module.js does not start: Error: Nest can't resolve dependencies of the Needy (?).",
  ],
])('check --nest %s says what is wrong, and how to fix it', async (nest, message) => {
  const { code, stderr, stdout } = await app.tasks('check', '--nest', nest)
  expect(stdout).toBe('')
  expect(stderr.replaceAll(app.root, 'ROOT')).toMatch(
    new RegExp(`^error: ${message.replace(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)}`),
  )
  expect(code).toBe(1)
})

it('refuses a data source file beside it', async () => {
  expect(await app.tasks('check', '--nest', 'app.module.js#Bare', '-d', 'ormconfig.js')).toEqual({
    code: 2,
    stdout: '',
    stderr:
      'error: argument --nest: not valid with --data-source. Leave one of them out: an app of Nest has its data source from its own modules.\n',
  })
})

it('says how an app without a handler gets one', async () => {
  app.write(
    'empty.js',
    `${MODULES}
    const { TypeOrmModule } = require('@nestjs/typeorm')
    const { DBTaskResult } = require('typeorm-tasks')
    const database = { type: 'better-sqlite3', database: ':memory:', entities: [DBTaskResult] }
    const { imports } = tasks('typeorm-tasks/backends/database#DatabaseBackend')
    exports.AppModule = moduleOf({ imports: [TypeOrmModule.forRoot(database), ...imports] })`,
  )
  const { code, stderr } = await app.tasks('db_worker', '--nest', 'empty.js')
  expect([code, stderr.replaceAll(app.root, 'ROOT')]).toEqual([
    1,
    "error: No tasks are defined: no provider of AppModule has a method with @TaskHandler, and ROOT/empty.js imports no file with task(…). Put @TaskHandler('some.name') on a method of a provider, and list that provider in a module of the app.\n",
  ])
})
