import { editDataSource } from '../../../cli/init/edit/data-source'
import { diffLines } from '../../../cli/init/edit/diff'
import { editManifest } from '../../../cli/init/edit/manifest'
import { editModule } from '../../../cli/init/edit/module'
import { tokensOf } from '../../../cli/init/edit/tokens'

const ALL = { isCommonJs: false, needsEntities: true, needsTasks: true }
const COMMONJS = { ...ALL, isCommonJs: true }
const IMPORT = `import { DataSource } from 'typeorm'\n`
const REQUIRE = `const { DataSource } = require('typeorm')\n`
const HANDLERS = [{ name: 'ExampleTasks', from: './example.tasks' }]

/** The lines that an edit adds and removes. */
function changed(before: string, after: string | undefined): string[] {
  return diffLines(before, after ?? before).filter((line) => /^[+-] /.test(line))
}

describe('the file of the data source', () => {
  it('gets an import, the entities and TASKS, written as the file is', () => {
    const text = `import "reflect-metadata";
import { DataSource } from "typeorm";
import { User } from "./user"; // the users

export const AppDataSource: DataSource = new DataSource({
    type: "postgres",
    entities: [
        User,
    ],
});
`
    const { text: made, left } = editDataSource(text, ALL)

    expect(left).toEqual([])
    expect(made).toBe(`import "reflect-metadata";
import { DataSource } from "typeorm";
import { User } from "./user"; // the users
import { configureTasks, taskEntities } from "typeorm-tasks";

export const AppDataSource: DataSource = new DataSource({
    type: "postgres",
    entities: [
        User,
        ...taskEntities,
    ],
});

export const TASKS = configureTasks({
    default: {
        BACKEND: "typeorm-tasks/backends/database#DatabaseBackend",
        OPTIONS: { dataSource: AppDataSource },
    },
});
`)
    expect(editDataSource(made ?? '', ALL)).toEqual({ left: [] })
  })

  it.each([
    [
      'on one line',
      `{ type: 'sqljs', entities: [User] }`,
      `{ type: 'sqljs', entities: [User, ...taskEntities] }`,
    ],
    ['empty', `{ entities: [], type: 'sqljs' }`, `{ entities: [...taskEntities], type: 'sqljs' }`],
    ['missing', `{ type: 'sqljs' }`, `{ entities: [...taskEntities], type: 'sqljs' }`],
    [
      'globs',
      `{ entities: ['src/**/*.entity.{ts,js}'] }`,
      `{ entities: ['src/**/*.entity.{ts,js}', ...taskEntities] }`,
    ],
    [
      'after a spread',
      `{ ...base, entities: [User] }`,
      `{ ...base, entities: [User, ...taskEntities] }`,
    ],
    [
      'beside a regular expression',
      `{ x: /[/'"]{/g, entities: [User] }`,
      `{ x: /[/'"]{/g, entities: [User, ...taskEntities] }`,
    ],
    [
      'beside a template',
      '{ x: `{${y ? `[${z}` : "}"}`, entities: [User] }',
      '{ x: `{${y ? `[${z}` : "}"}`, entities: [User, ...taskEntities] }',
    ],
    [
      'in comments too',
      `{ /* entities: [ */ entities: [User] } // ]`,
      `{ /* entities: [ */ entities: [User, ...taskEntities] } // ]`,
    ],
  ])('with entities %s', (_, before, after) => {
    const text = `${IMPORT}export const dataSource = new DataSource(${before.replace(' // ]', '')})${before.includes(' // ]') ? ' // ]' : ''}\n`

    const made = editDataSource(text, ALL)

    expect(made.left).toEqual([])
    expect(made.text).toContain(after.replace(' // ]', ''))
    expect(made.text).toContain('OPTIONS: { dataSource },')
  })

  it('with its options in a constant', () => {
    const text = `${IMPORT}export const options: DataSourceOptions = { type: 'sqljs', entities: [] }\nexport const dataSource = new DataSource(options)\n`

    expect(editDataSource(text, ALL).text).toContain(
      `{ type: 'sqljs', entities: [...taskEntities] }`,
    )
  })

  it.each([
    [
      `${REQUIRE}const dataSource = new DataSource({ entities: [] })\nmodule.exports = { dataSource }\n`,
      'dataSource',
    ],
    [`${REQUIRE}exports.db = new DataSource({ entities: [] })\n`, 'dataSource: module.exports.db'],
  ])('in CommonJS', (text, value) => {
    const { text: made = '' } = editDataSource(text, COMMONJS)

    expect(changed(text, made)).toEqual(
      expect.arrayContaining([
        `+ const { configureTasks, taskEntities } = require('typeorm-tasks')`,
        `+ module.exports.TASKS = configureTasks({`,
        `+     OPTIONS: { ${value} },`,
      ]),
    )
  })

  it('imports before the entities are used, also if something is required later', () => {
    const text = `${REQUIRE}const dataSource = new DataSource({ entities: [] })\nmodule.exports = { dataSource }\nconst log = require('./log')\n`

    const { text: made = '' } = editDataSource(text, COMMONJS)

    expect(made.indexOf('taskEntities }')).toBeLessThan(made.indexOf('new DataSource('))
  })

  it('keeps the line ends of Windows', () => {
    const text =
      `${IMPORT}export const dataSource = new DataSource({\n  entities: [],\n})\n`.replaceAll(
        '\n',
        '\r\n',
      )

    expect(editDataSource(text, ALL).text?.replaceAll('\r\n', '')).not.toContain('\n')
  })

  it('gets only what is missing', () => {
    const text = `${IMPORT}import { DBTaskResult } from 'typeorm-tasks'\nexport const dataSource = new DataSource({ entities: [DBTaskResult] })\n`

    expect(changed(text, editDataSource(text, ALL).text)[0]).toBe(
      `+ import { configureTasks } from 'typeorm-tasks'`,
    )
    expect(editDataSource(text, { ...ALL, needsTasks: false })).toEqual({ left: [] })
  })

  it.each([
    [
      'two data sources',
      `${IMPORT}export const a = new DataSource({ entities: [] })\nexport const b = new DataSource({ entities: [] })`,
    ],
    [
      'a function',
      `${IMPORT}export const make = () => { return new DataSource({ entities: [] }) }`,
    ],
    ['a default export', `${IMPORT}export default new DataSource({ entities: [] })`],
    [
      'options of elsewhere',
      `${IMPORT}import { options } from './options'\nexport const a = new DataSource(options)`,
    ],
    ['options that are made', `${IMPORT}export const a = new DataSource(make({ entities: [] }))`],
    [
      'entities that are made',
      `${IMPORT}export const a = new DataSource({ entities: [User].filter(Boolean) })`,
    ],
    ['entities of elsewhere', `${IMPORT}export const a = new DataSource({ entities })`],
    ['entities in an object', `${IMPORT}export const a = new DataSource({ entities: { User } })`],
    [
      'entities that a spread may replace',
      `${IMPORT}export const a = new DataSource({ entities: [User], ...base })`,
    ],
    ['entities in a spread', `${IMPORT}export const a = new DataSource({ ...base })`],
    ['no import', `export const a = new DataSource({ entities: [] })`],
    [
      'a text without an end',
      `${IMPORT}export const a = new DataSource({ entities: [] })\nconst b = 'it`,
    ],
  ])('is left as it is with %s, and the lines are shown', (_, text) => {
    const { text: made, left } = editDataSource(text, ALL)

    expect(made).toBeUndefined()
    expect(left).toEqual(
      expect.arrayContaining([
        `import { configureTasks, taskEntities } from 'typeorm-tasks'`,
        'export const TASKS = configureTasks({',
      ]),
    )
  })

  it('is left as it is where module.exports is the data source', () => {
    const text = `${REQUIRE}const dataSource = new DataSource({ entities: [] })\nmodule.exports = dataSource\n`

    expect(editDataSource(text, COMMONJS).text).toBeUndefined()
  })
})

describe('the file of the data source, where a text looks like something else,', () => {
  const plain = 'export const dataSource = new DataSource({ entities: [] })\n'

  it.each([
    ['a property TASKS', `${IMPORT}const menu = { TASKS: 1, taskEntities: 2 }\n${plain}`],
    ['comments', `${IMPORT}// TODO: configureTasks({}), new DataSource({})\n${plain}`],
    ['a text', `${IMPORT}const x = 'configureTasks(TASKS)'\n${plain}`],
    ['attributes of an import', `import x from './x.json'\n  with { type: 'json' }\n${plain}`],
    ['a semicolon on the next line', `${IMPORT};[1].map(String)\n${plain}`],
  ])('gets its lines after or beside %s', (_, text) => {
    const { text: made = '', left } = editDataSource(text, ALL)

    expect(left).toEqual([])
    expect(changed(text, made)).toHaveLength(
      9 /* an import, a blank line and TASKS, and the line of the entities twice */,
    )
    expect(made).not.toMatch(/configureTasks, taskEntities .*\n +with/)
  })

  it.each([
    ['a require that goes on', `${REQUIRE}const path = require('node:path')\n  .posix\n`],
    ['a require that is called', `${REQUIRE}require('./a')\n(() => {})()\n`],
    ['a comment that goes on', `${REQUIRE.trimEnd()} /* a\n b */\n`],
  ])('is left as it is after %s', (_, imports) => {
    const text = `${imports}const dataSource = new DataSource({ entities: [] })\nmodule.exports = { dataSource }\n`

    expect(editDataSource(text, COMMONJS).text).toBeUndefined()
  })

  it.each([
    ['is initialized at once', plain.replace('})', '}).initialize()')],
    ['is initialized on the next line', plain.replace('})', '})\n  .initialize()')],
    ['is one of several values', plain.replace('})', '}), other = 1')],
    ['stands beside a TASKS of another kind', `const TASKS = ['milk']\n${plain}`],
    ['stands beside an imported configureTasks', `import { configureTasks } from 'x'\n${plain}`],
  ])('is left as it is where the data source %s', (_, text) => {
    const { text: made, left } = editDataSource(IMPORT + text, ALL)

    expect(made).toBeUndefined()
    expect(left).toContain('export const TASKS = configureTasks({')
  })

  it('is given TASKS beside a list of that name that CommonJS does not export', () => {
    const text = `${REQUIRE}const TASKS = ['milk']\nconst dataSource = new DataSource({ entities: [] })\nmodule.exports = { dataSource }\n`

    expect(editDataSource(text, COMMONJS).text).toContain('module.exports.TASKS = configureTasks({')
  })
})

describe("Nest's root module", () => {
  it.each([
    [
      'loads entities by itself',
      `[TypeOrmModule.forRoot({ type: 'postgres', autoLoadEntities: true })]`,
      "[TypeOrmModule.forRoot({ type: 'postgres', autoLoadEntities: true }), TypeOrmModule.forFeature(taskEntities)]",
    ],
    [
      'lists them',
      `[TypeOrmModule.forRoot({ entities: [User] })]`,
      '[TypeOrmModule.forRoot({ entities: [User, ...taskEntities] })]',
    ],
  ])('gets the entities where it %s', (_, before, after) => {
    const text = `import { TasksModule } from 'typeorm-tasks/nestjs'\n@Module({ imports: ${before} })\nexport class AppModule {}\n`

    const { text: made = '', left } = editModule(text, [])

    expect(left).toEqual([])
    expect(made).toContain(`@Module({ imports: ${after} })`)
    expect(made).toContain(`import { taskEntities } from 'typeorm-tasks'\n`)
    expect(editModule(made, [])).toEqual({ left: [] })
  })

  it('gets no second TasksModule where another module has it', () => {
    const text = `import { Module } from '@nestjs/common'\n@Module({ imports: [Core] })\nexport class AppModule {}\n`

    expect(editModule(text, [], false)).toEqual({ left: [] })
  })

  it('gets TasksModule and the handlers', () => {
    const text = `import { Module } from '@nestjs/common';
import { UsersModule } from './users/users.module';

@Module({
  imports: [UsersModule],
  controllers: [],
})
export class AppModule {}
`
    const { text: made = '', left } = editModule(text, HANDLERS)

    expect(left).toEqual([])
    expect(made).toBe(`import { Module } from '@nestjs/common';
import { UsersModule } from './users/users.module';
import { TasksModule } from 'typeorm-tasks/nestjs';
import { ExampleTasks } from './example.tasks';

@Module({
  providers: [ExampleTasks],
  imports: [UsersModule, TasksModule.forRoot({ tasks: { default: { BACKEND: 'typeorm-tasks/backends/database#DatabaseBackend' } } })],
  controllers: [],
})
export class AppModule {}
`)
    expect(editModule(made, HANDLERS)).toEqual({ left: [] })
  })

  it.each([
    ['two modules', `@Module({ imports: [] }) class A {}\n@Module({ imports: [] }) class B {}`],
    ['imports of elsewhere', `@Module({ imports }) class A {}`],
    ['options of elsewhere', `@Module(options) class A {}`],
  ])('is left as it is with %s, and the lines are shown', (_, text) => {
    const { text: made, left } = editModule(
      `import { Module } from '@nestjs/common'\n${text}`,
      HANDLERS,
    )

    expect(made).toBeUndefined()
    expect(left.join('\n')).toContain('TasksModule.forRoot(')
    expect(left.join('\n')).toContain('providers:\nExampleTasks,')
  })
})

describe('package.json', () => {
  const scripts = { worker: 'tasks db_worker', 'tasks:check': 'tasks check' }

  it.each([
    [
      'two blanks',
      `{\n  "name": "a",\n  "scripts": {\n    "build": "tsc"\n  },\n  "type": "module"\n}\n`,
    ],
    ['tabs', `{\n\t"scripts": {\n\t\t"build": "tsc"\n\t}\n}`],
    ['no scripts', `{\n  "name": "a"\n}\n`],
    ['empty scripts', `{\n  "scripts": {},\n  "name": "a"\n}\n`],
    ['one line', `{ "name": "a", "scripts": { "build": "tsc" } }`],
    ['one line without scripts', `{"name":"a"}`],
    ['nothing', `{}`],
    [
      'line ends of Windows',
      `{\r\n  "name": "a",\r\n  "scripts": {\r\n    "build": "tsc"\r\n  }\r\n}\r\n`,
    ],
    [
      'the word elsewhere',
      `{\n  "nx": { "scripts": { "worker": 1 } },\n  "scripts": {\n    "build": "tsc"\n  }\n}`,
    ],
    ['a byte order mark', `\uFEFF{\n  "name": "a"\n}\n`],
  ])('of the form %s keeps it', (_, text) => {
    const { text: made = '' } = editManifest(text, scripts)
    const parsed = (json: string): { scripts?: object } =>
      JSON.parse(json.replace(/^\uFEFF/, '')) as { scripts?: object }

    const before = parsed(text)
    expect(parsed(made)).toEqual({ ...before, scripts: { ...before.scripts, ...scripts } })
    const kept = text.split('\n').map((line) => line.replace(/[,{}\s]+$/, ''))
    if (text.includes('\n')) expect(kept.filter((line) => !made.includes(line))).toEqual([])
    expect(made.includes('\r\n')).toBe(text.includes('\r\n'))
    expect(editManifest(made, scripts)).toEqual({ left: [] })
  })

  it('is as npm would write it', () => {
    const text = `${JSON.stringify({ name: 'a', scripts: { build: 'tsc' } }, null, 2)}\n`

    expect(editManifest(text, scripts).text).toBe(
      `${JSON.stringify({ name: 'a', scripts: { build: 'tsc', ...scripts } }, null, 2)}\n`,
    )
    expect(editManifest('{\n  "name": "a"\n}\n', scripts).text).toBe(
      `${JSON.stringify({ name: 'a', scripts }, null, 2)}\n`,
    )
    expect(editManifest('{\n  "name": "a",\n  "scripts": {}\n}\n', scripts).text).toBe(
      `${JSON.stringify({ name: 'a', scripts }, null, 2)}\n`,
    )
  })

  it('keeps a script that has the name already', () => {
    const text = `{ "scripts": { "worker": "mine" } }`

    expect(editManifest(text, scripts).text).toBe(
      `{ "scripts": { "worker": "mine", "tasks:check": "tasks check" } }`,
    )
  })
})

describe('package.json is left as it is, and the scripts are shown,', () => {
  it.each([
    ['null', `{\n  "name": "x",\n  "scripts": null,\n  "dependencies": {}\n}`],
    ['a text', `{ "scripts": "x" }`],
    ['a list', `{ "scripts": [], "a": { "b": 1 } }`],
    ['twice there', `{ "scripts": { "a": "b" }, "scripts": { "c": "d" } }`],
    ['written with an escape', `{ "scr\\u0069pts": { "a": "b" } }`],
  ])('where "scripts" is %s', (_, text) => {
    expect(editManifest(text, { worker: 'tasks db_worker' })).toEqual({
      left: ['{', '  "scripts": {', '    "worker": "tasks db_worker"', '  }', '}'],
    })
  })
})

describe('tokens', () => {
  it.each(["'it", '`a${b', '(]', 'a)', '`${`', '"a\nb"'])('are unclear in %j', (text) => {
    expect(tokensOf(text)).toBeUndefined()
  })
})
