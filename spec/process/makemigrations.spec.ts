import { execFileSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { DataSource, type DataSourceOptions } from 'typeorm'
import { makemigrations, type MakemigrationsOptions } from '#makemigrations'
import { migrationsFolder } from '#folder'
import { renderMigration } from '#render'
import { DBTaskResult } from '#entities'

let root: string
beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), 'app-')))
})
afterEach(() => rmSync(root, { recursive: true }))

/** Calls the command for a little SQLite app in `root`; `of` says how that app is. */
async function call(
  options: Partial<MakemigrationsOptions> = {},
  of: Partial<MakemigrationsOptions['app']> & { migrations?: string[] } = {},
) {
  const lines: string[] = []
  const app = {
    dataSource: new DataSource({
      type: 'better-sqlite3',
      database: join(root, 'app.sqlite'),
      entities: [DBTaskResult],
      migrations: of.migrations ?? [join(root, 'migrations/*.{ts,js}')],
    }),
    language: 'js',
    modules: 'commonjs',
    root,
    file: join(root, 'ormconfig.js'),
    ...of,
  } as const
  const code = await makemigrations({ app, print: (line) => lines.push(line), ...options })
  return {
    code,
    printed: lines.join('\n'),
    files: existsSync(join(root, 'migrations')) ? readdirSync(join(root, 'migrations')) : [],
    app,
  }
}

/** Runs the app's migrations in a process of its own, as TypeORM's command does, and names the tables that are there then. */
function migrate(): string {
  mkdirSync(join(root, 'node_modules'))
  symlinkSync(dirname(require.resolve('typeorm')), join(root, 'node_modules/typeorm'))
  const script = `
    import('typeorm').then(async ({ DataSource }) => {
      const app = await new DataSource({ type: 'better-sqlite3', database: 'app.sqlite', migrations: ['migrations/*.js'] }).initialize()
      const ran = await app.runMigrations()
      const tables = await app.query("SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'db_%'")
      await app.undoLastMigration()
      const left = await app.query("SELECT name FROM sqlite_master WHERE name LIKE 'db_%'")
      console.log([...ran.map(({ name }) => name.replace(/\\d+/, '')), ...tables.map(({ name }) => name), left.length].join(' '))
    })`
  return execFileSync(process.execPath, ['-e', script], { cwd: root, encoding: 'utf8' }).trim()
}

describe('makemigrations', () => {
  test.each([
    ['commonjs', {}],
    ['esm', { type: 'module' }],
  ] as const)(
    'writes JavaScript for a %s app, which TypeORM runs and undoes',
    async (modules, manifest) => {
      writeFileSync(join(root, 'package.json'), JSON.stringify(manifest))
      const { code, printed, files } = await call({}, { modules })
      expect([code, files]).toEqual([0, [expect.stringMatching(/^\d{13}-DbTaskResult\.js$/)]])
      expect(printed).toContain(`Wrote ${root}/migrations/${files[0]}`)
      expect(migrate()).toBe('DbTaskResult db_task_result 0')
    },
  )

  test('writes TypeScript for a TypeScript app', async () => {
    const { files, app } = await call({ name: 'add-tasks' }, { language: 'ts' })
    expect(files).toEqual([expect.stringMatching(/^\d{13}-add-tasks\.ts$/)])
    expect(readFileSync(join(root, 'migrations', files[0]!), 'utf8')).toMatch(
      /^import type .*\n\nexport class AddTasks\d{13} implements MigrationInterface/,
    )
    await app.dataSource.initialize()
    try {
      expect(await app.dataSource.runMigrations()).toHaveLength(1)
      expect((await call({}, app)).printed).toBe('No changes detected')
    } finally {
      await app.dataSource.destroy()
    }
  })

  test.each([
    ['lists', undefined, /^1 migration is not applied: DbTaskResult\d{13}\. Apply it first: /],
    [
      'does not list',
      [],
      /^1 migration is not applied: DbTaskResult\d{13} \(.*\/migrations\/\d{13}-DbTaskResult\.js\)\. Not all are among .* Then apply it: /,
    ],
  ])(
    'writes none while one that the DataSource %s is not applied, and makes no table of migrations',
    async (_, migrations, message) => {
      const of = migrations === undefined ? {} : { migrations }
      const { files, app } = await call({}, of)
      expect(files).toHaveLength(1)

      for (const options of [{}, { check: true }, { dryRun: true }])
        await expect(call(options, of)).rejects.toMatchObject({
          code: 'DATA_SOURCE',
          message: expect.stringMatching(message),
        })

      expect(readdirSync(join(root, 'migrations'))).toEqual(files)
      await app.dataSource.initialize()
      expect(await app.dataSource.query('SELECT name FROM sqlite_master')).toEqual([])
      await app.dataSource.destroy()
    },
  )

  test('says when `synchronize` has made the table, and how to get a migration', async () => {
    const { app } = await call({ check: true })
    const dataSource = await app.dataSource.setOptions({ synchronize: true }).initialize()
    try {
      expect((await call({}, { dataSource })).printed).toMatch(
        /^No changes detected\nThe DataSource has `synchronize: true`.*an empty database\.$/,
      )
    } finally {
      await dataSource.destroy()
    }
  })

  test('--check says what is missing, writes nothing and gives 1', async () => {
    const { code, printed, files } = await call({ check: true })
    expect([code, files]).toEqual([1, []])
    expect(printed).toMatch(/not up to date\. Missing:\n {2}CREATE TABLE "db_task_result"/)
  })

  test('--dry-run prints the file and writes nothing', async () => {
    const { code, printed, files } = await call({ dryRun: true })
    expect([code, files]).toEqual([0, []])
    expect(printed).toMatch(
      /migrations\/\d{13}-DbTaskResult\.js\n\n[^]*module\.exports = class DbTaskResult\d{13} \{[^]*CREATE TABLE "db_task_result"/,
    )
  })

  test('--outdir is where the file goes', async () => {
    const outdir = join(root, 'elsewhere')
    const { printed } = await call({ outdir })
    expect(readdirSync(outdir)).toHaveLength(1)
    expect(printed).toContain(
      `The DataSource lists ${root}/migrations/*.{ts,js} only: add the new one, for example \`migrations: ['${outdir}/*.js']\`.`,
    )
    rmSync(outdir, { recursive: true })
    expect((await call({ outdir }, { migrations: [] })).printed).toContain(
      'The DataSource lists no migrations: add the new one',
    )
    rmSync(outdir, { recursive: true })
    expect((await call({ outdir }, { migrations: ['elsewhere/*.js'] })).printed).not.toContain(
      'The DataSource lists',
    )
  })

  test('without the entity it says what to add', async () => {
    const dataSource = new DataSource({
      type: 'better-sqlite3',
      database: ':memory:',
      entities: [],
    })
    await expect(call({}, { dataSource })).rejects.toMatchObject({
      code: 'DATA_SOURCE',
      hint: expect.stringContaining('entities: [DBTaskResult, …]'),
    })
  })

  test('a database that is down is said to be', async () => {
    const dataSource = new DataSource({
      type: 'postgres',
      host: '127.0.0.1',
      port: 1,
      username: 'u',
      password: 'secret',
      database: 'd',
      entities: [DBTaskResult],
    })
    const error = await call({}, { dataSource }).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({
      code: 'DATABASE',
      message: expect.stringMatching(/cannot be reached: .*ECONNREFUSED/),
    })
    expect(String(error)).not.toContain('secret')
  })

  test.each(['', '1st', 'a b', '../x', "x'y"])('--name %p is refused', async (name) => {
    await expect(call({ name })).rejects.toMatchObject({
      code: 'USAGE',
      message: expect.stringContaining('not a valid migration name'),
    })
  })
})

describe('the migrations folder', () => {
  const folder = (migrations: DataSourceOptions['migrations'], language: 'ts' | 'js' = 'ts') =>
    migrationsFolder({ migrations, language, root, file: join(root, 'src/data-source.ts') })

  test.each([
    ['migrations/*.ts', 'migrations'],
    ['./src/db/migrations/*{.ts,.js}', 'src/db/migrations'],
    ['src/migrations/**/*.{ts,js}', 'src/migrations'],
    ['src/migrations', 'src/migrations'],
    ['src/migrations/1-first.ts', 'src/migrations'],
    ['{src,dist}/migrations/*.{ts,js}', 'src/migrations'],
  ])('of %s is %s', (glob, expected) => {
    expect(folder([glob])).toEqual({ path: join(root, expected), notes: [] })
    expect(folder({ one: join(root, glob) })).toEqual({ path: join(root, expected), notes: [] })
  })

  test.each([
    ['my app (x)', 'migrations/*.ts'],
    ['[app]', 'migrations/**/*.{ts,js}'],
    ['{a,b}', 'src/{migrations,other}/*.ts'],
    ['a+(b)!', ''],
  ])('below a folder that is called %s, which exists, is in it', (name, rest) => {
    mkdirSync(join(root, name))
    const expected = join(root, name, rest === '' ? '' : rest.replace(/\/?(\*\*\/)?\*.*/, ''))
    const path = expected.replace('{migrations,other}', 'migrations')

    const absolute = folder([join(root, name, rest)])
    const escaped = folder([join(root, name.replace(/[()[\]{}!+]/g, '\\$&'), rest)])

    expect(absolute).toEqual({
      path,
      notes: [expect.stringMatching(/^TypeORM may read the brackets in .* as a pattern/)],
    })
    expect(escaped).toEqual({ path, notes: [] })
    expect(folder([join(name, rest)]).path).toBe(path)
  })

  test('is the first that is named, classes apart', () => {
    expect(folder([class First {}, 'a/*.ts', 'b/*.ts']).path).toBe(join(root, 'a'))
  })

  test.each([
    [undefined, /lists no migrations: add the new one.*src\/migrations\/\*\.ts/],
    [[], /lists no migrations/],
    [[class First {}], /lists classes only/],
  ])('is beside the data source when none is named, with a note', (migrations, note) => {
    expect(folder(migrations)).toEqual({
      path: join(root, 'src/migrations'),
      notes: [expect.stringMatching(note)],
    })
  })

  test('of build output is that of its source, with a note', () => {
    mkdirSync(join(root, 'src'))
    expect(folder(['dist/migrations/*.js'])).toEqual({
      path: join(root, 'src/migrations'),
      notes: [
        expect.stringMatching(/dist\/migrations\/\*\.js, which is build output.*src\/migrations/),
      ],
    })
    expect(folder(['dist/migrations/*.js'], 'js').path).toBe(join(root, 'dist/migrations'))
    writeFileSync(
      join(root, 'tsconfig.json'),
      JSON.stringify({ compilerOptions: { outDir: 'out', rootDir: 'source' } }),
    )
    expect(folder([join(root, 'out/db/*.js')]).path).toBe(join(root, 'source/db'))
  })

  test('of a glob that a new file would not fit is named, with a note', () => {
    expect(folder(['migrations/*.js'])).toEqual({
      path: join(root, 'migrations'),
      notes: [expect.stringContaining('which matches no .ts file')],
    })
  })

  test('of a glob with many folders is asked for', () => {
    expect(() => folder(['modules/*/migrations/*.ts'])).toThrow(
      /do not name a single folder.*--outdir/,
    )
  })
})

test('a rendered migration runs the very statements it was given', async () => {
  const up = ['SELECT `a`, "b"', "SELECT 'back\\slash ${x} \\` \\${y} $'"]
  const { text } = renderMigration({
    name: 'x',
    timestamp: 1,
    up,
    down: up.toReversed(),
    ending: 'js',
    modules: 'commonjs',
  })
  const file = join(root, 'migration.js')
  writeFileSync(file, text)
  const Migration =
    jest.requireActual<new () => Record<'up' | 'down', (runner: unknown) => Promise<void>>>(file)
  const ran: string[] = []
  const runner = {
    query: (sql: string) => {
      ran.push(sql)
    },
  }
  await new Migration().up(runner)
  await new Migration().down(runner)
  expect(ran).toEqual([...up, ...up.toReversed()])
})
