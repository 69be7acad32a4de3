import { appOf, load } from '../support/temp-app'

const SWC = { '@swc/core': '@swc/core' }
const OPTIONS = `{ type: 'better-sqlite3', database: ':memory:' }`
const JS = `const { DataSource } = require('typeorm')\nconst make = () => new DataSource(${OPTIONS})\n`
const ESM = `import { DataSource } from 'typeorm'\nconst make = () => new DataSource(${OPTIONS})\n`

describe('finds the data source file', () => {
  it.each([
    'ormconfig.js',
    'data-source.js',
    'src/data-source.js',
    'src/database/data-source.js',
    'src/db/data-source.js',
  ])('%s without being told', (file) => {
    const root = appOf({ [file]: `${JS}exports.dataSource = make()` })

    expect(load(root)).toMatchObject({
      file: `${root}/${file}`,
      root,
      language: 'js',
      modules: 'commonjs',
      initialized: false,
    })
  })

  it('TypeScript before JavaScript, and ormconfig before data-source', () => {
    const root = appOf(
      {
        'ormconfig.js': `${JS}exports.a = make()`,
        'ormconfig.ts': `${ESM}export const a = make()`,
        'data-source.ts': `throw 1`,
      },
      SWC,
    )

    expect(load(root).file).toBe(`${root}/ormconfig.ts`)
  })

  it('by a path that leaves out the ending', () => {
    const root = appOf({ 'db/main.js': `${JS}exports.a = make()` })

    expect(load(root, { dataSource: 'db/main' }).file).toBe(`${root}/db/main.js`)
  })

  it('takes the folder of the nearest package.json for the root', () => {
    const root = appOf({
      'apps/web/package.json': '{ "type": "module" }',
      'apps/web/db/main.js': `${ESM}export const a = make()`,
    })

    expect(load(root, { dataSource: 'apps/web/db/main.js' })).toMatchObject({
      root: `${root}/apps/web`,
      modules: 'esm',
    })
  })

  it('says where it looked when there is none, and does not look in the folders above', () => {
    const root = appOf({ 'ormconfig.js': `${JS}exports.a = make()`, 'inner/empty.txt': '' })

    expect(load(`${root}/inner`).error!.message).toBe(
      `No data source file in ${root}/inner. Looked for ormconfig.ts, ormconfig.js, data-source.ts, data-source.js, src/data-source.ts, src/data-source.js, src/database/data-source.ts, src/database/data-source.js, src/db/data-source.ts, src/db/data-source.js. Give its path: --data-source path/to/file.`,
    )
  })

  it('names the files that look like it when there is none in the usual places', () => {
    const root = appOf({
      'src/config/typeorm.config.mts': '',
      'packages/db/src/app.data-source.ts': '',
      'node_modules/x/data-source.js': '',
      'dist/other/data-source.js': '',
    })

    expect(load(root).error!.message).toMatch(
      /Give the file that exports the DataSource; is it --data-source packages\/db\/src\/app\.data-source\.ts or --data-source src\/config\/typeorm\.config\.mts\?$/,
    )
  })

  it.each([
    ['', 'Give the file that exports the DataSource: --data-source path/to/file.'],
    [
      'db/data-source.js',
      'Give the file that exports the DataSource; is it --data-source db/data-source.js?',
    ],
    ['db/index.js', 'Give the file that exports the DataSource; is it --data-source db/index.js?'],
  ])('says that a folder is one, which has %j', (file, hint) => {
    const root = appOf({ 'db/x/1-first.js': '', ...(file === '' ? {} : { [file]: '' }) })

    expect(load(root, { dataSource: 'db' }).error!.message).toBe(
      `--data-source: ${root}/db is a folder. ${hint}`,
    )
  })

  it('says which path it tried when the named one is missing', () => {
    const root = appOf({})

    expect(load(root, { dataSource: 'dist/db.js' }).error).toMatchObject({
      name: 'LoadError',
      message: `The data source file ${root}/dist/db.js does not exist. Give its path relative to ${root} with --data-source, or compile the app first.`,
    })
  })
})

describe('picks the one DataSource', () => {
  const settings = `const TASKS = { default: {} }\n`

  it.each([
    [
      'a named export',
      'ormconfig.js',
      `${JS}${settings}module.exports = { dataSource: make(), TASKS }`,
    ],
    ['module.exports itself', 'ormconfig.js', `${JS}module.exports = make()`],
    [
      'a promise of it',
      'ormconfig.js',
      `${JS}${settings}module.exports = { later: Promise.resolve().then(make), other: Promise.resolve(1), TASKS }`,
    ],
    [
      'a promise as module.exports',
      'ormconfig.js',
      `${JS}module.exports = Promise.resolve().then(make)`,
    ],
    [
      'one under two names',
      'ormconfig.js',
      `${JS}${settings}const one = make(); module.exports = { one, default: one, later: Promise.resolve(one), TASKS }`,
    ],
    ['default of an ES module', 'ormconfig.mjs', `${ESM}export default make()\nexport ${settings}`],
    [
      'a bag as default',
      'ormconfig.mjs',
      `${ESM}${settings}export default { dataSource: make(), TASKS }`,
    ],
    [
      'a named export of a CommonJS file',
      'ormconfig.cjs',
      `${JS}${settings}exports.default = { dataSource: make() }; exports.TASKS = TASKS`,
    ],
    [
      'an ES module that awaits',
      'ormconfig.mjs',
      `${ESM}await 1\nexport const dataSource = make()\nexport ${settings}`,
    ],
    [
      'an ES module by its text alone',
      'ormconfig.js',
      `${ESM}await 1\nexport const dataSource = make()\nexport ${settings}`,
    ],
  ])('%s', (_, file, text) => {
    const app = load(appOf({ [file]: text }), { dataSource: file })

    expect(app.error).toBeUndefined()
    expect(app.modules).toBe(text.startsWith('import') ? 'esm' : 'commonjs')
    expect(app.tasksSettings).toEqual(text.includes('TASKS') ? { default: {} } : undefined)
  })

  it.each([
    [
      'none',
      `exports.a = 1; exports.b = 2`,
      'exports no DataSource; its exports are: a, b. Add to it: export const dataSource = new DataSource({ … })',
    ],
    [
      'nothing at all',
      ``,
      'exports no DataSource; it exports nothing. Add to it: export const dataSource = new DataSource({ … })',
    ],
    [
      'options under a name',
      `exports.config = ${OPTIONS}`,
      'exports no DataSource; its exports are: config. "config" has only options; export new DataSource(…) created from them.',
    ],
    [
      'options as a whole',
      `module.exports = ${OPTIONS}`,
      'exports no DataSource; its exports are: type, database. "module.exports" has only options; export new DataSource(…) created from them.',
    ],
    [
      'a factory',
      `${JS}exports.createSource = async () => make()`,
      'exports no DataSource; its exports are: createSource. "createSource" is a function; if it makes the DataSource, export what it returns, also if that is a promise: export const dataSource = createSource()',
    ],
    [
      'a factory as a whole',
      `${JS}module.exports = function makeSource() { return make() }`,
      'exports no DataSource; its exports are: default. "default" is a function; if it makes the DataSource, export what it returns, also if that is a promise: export const dataSource = makeSource()',
    ],
    [
      'a promise of options',
      `exports.later = Promise.resolve(${OPTIONS})`,
      'exports no DataSource; its exports are: later. "later" has only options; export new DataSource(…) created from them.',
    ],
    [
      'a class',
      `${JS}exports.AppSource = class AppSource extends DataSource {}`,
      'exports no DataSource; its exports are: AppSource. "AppSource" is a class; export an instance of it: export const dataSource = new AppSource(…)',
    ],
    [
      'it within something',
      `${JS}exports.sources = [make()]`,
      'exports no DataSource; its exports are: sources. "sources" contains one under "0"; export that by itself.',
    ],
    [
      'two',
      `${JS}exports.read = make(); exports.write = make()`,
      'exports 2 DataSources: read, write. Export only one, or pass with --data-source a file that exports only the DataSource with the tasks table.',
    ],
  ])('refuses a file that exports %s', (_, text, message) => {
    const root = appOf({ 'ormconfig.js': text })

    expect(load(root).error).toMatchObject({
      name: 'LoadError',
      message: `${root}/ormconfig.js ${message}`,
    })
  })
})

describe('shows the errors of the user as they are', () => {
  it.each([
    [
      'thrown while loading',
      `throw new RangeError('DB_PORT is missing')`,
      'does not load: RangeError: DB_PORT is missing. Fix the error there; -v 3 shows the stack trace.',
      'RangeError',
    ],
    [
      'thrown with a question',
      `throw new RangeError('Is DB_PORT missing?')`,
      'does not load: RangeError: Is DB_PORT missing? Fix the error there; -v 3 shows the stack trace.',
      'RangeError',
    ],
    [
      'thrown without an Error',
      `throw null`,
      'does not load: it threw null. Fix the error there; -v 3 shows the stack trace.',
      undefined,
    ],
    [
      'of a missing package',
      `require('no-such-package')`,
      `does not load: Error: Cannot find module 'no-such-package'. Install that package, or correct the path (also in tsconfig.json if it is one of "paths").`,
      'Error',
    ],
  ])('%s', (_, text, message, cause) => {
    const root = appOf({ 'ormconfig.js': text })

    const { error } = load(root)

    expect(error!.message).toBe(`${root}/ormconfig.js ${message}`)
    expect(error!.cause).toBe(cause)
  })

  it('a syntax error in an imported file names that file and the line', () => {
    const root = appOf({ 'ormconfig.js': `require('./settings')`, 'settings.js': '\n\nconst = 1' })

    expect(load(root).error!.message).toContain(
      `${root}/ormconfig.js does not load: SyntaxError: Unexpected token '=' (${root}/settings.js:3).`,
    )
  })

  it('a promise that fails', () => {
    const root = appOf({
      'ormconfig.js': `exports.later = Promise.reject(new Error('vault is sealed'))`,
    })

    expect(load(root).error!.message).toContain(
      `The promise that ${root}/ormconfig.js exports as "later" was rejected: Error: vault is sealed.`,
    )
  })
})

describe('loads the files that define tasks', () => {
  const count = (name: string): string => `(globalThis.loaded ??= []).push('${name}')`
  const never = `throw new Error('not to be loaded')`

  it('of a TypeScript app: everywhere but in packages, build output, hidden folders and specs; no source twice', () => {
    const root = appOf(
      {
        'tsconfig.json': '{ "compilerOptions": { "outDir": "./lib-js" } }',
        'src/data-source.ts': `${ESM}export const a = make()`,
        'src/tasks.ts': '',
        'src/mail/mail.tasks.ts': '',
        'src/x.tasks.mts': '',
        'plain.tasks.js': '',
        'src/mail/mail.tasks.js': never,
        'src/mail/mail.tasks.d.ts': never,
        'src/mytasks.ts': never,
        'src/tasks.spec.ts': never,
        'node_modules/p/tasks.js': never,
        '.cache/tasks.ts': never,
        'lib-js/tasks.js': never,
        'dist/tasks.js': never,
        'build/tasks.js': never,
        'out/tasks.js': never,
        'coverage/tasks.js': never,
      },
      SWC,
    )

    expect(load(root)).toMatchObject({
      taskFiles: [
        'plain.tasks.js',
        'src/mail/mail.tasks.ts',
        'src/tasks.ts',
        'src/x.tasks.mts',
      ].map((name) => `${root}/${name}`),
    })
  })

  it.each([
    ['dist', '{}'],
    ['built/js', '{ "compilerOptions": { "outDir": "built/js" } }'],
  ])('of a compiled app: those in %s, with no TypeScript about', (folder, tsconfig) => {
    const root = appOf({
      'tsconfig.json': tsconfig,
      [`${folder}/src/data-source.js`]: `${JS}exports.a = make()`,
      [`${folder}/src/mail.tasks.js`]: count('mail'),
      'src/mail.tasks.ts': never,
      'src/data-source.ts': never,
      [`${folder}/node_modules/p/tasks.js`]: never,
    })

    expect(load(root, { dataSource: `${folder}/src/data-source.js` }).taskFiles).toEqual([
      `${root}/${folder}/src/mail.tasks.js`,
    ])
  })

  it('of a JavaScript app: in its own folders, else in the build output beside it', () => {
    const built = appOf({
      'ormconfig.js': `${JS}exports.a = make()`,
      'dist/mail.tasks.js': '',
      'src/mail.tasks.ts': never,
    })
    const plain = appOf({
      'ormconfig.js': `${JS}exports.a = make()`,
      'dist/mail.tasks.js': never,
      'src/mail.tasks.js': '',
    })

    expect(load(built).taskFiles).toEqual([`${built}/dist/mail.tasks.js`])
    expect(load(plain).taskFiles).toEqual([`${plain}/src/mail.tasks.js`])
  })

  it('each once, also when the data source file imports them, in ES modules too', () => {
    const root = appOf({
      'package.json': '{ "type": "module" }',
      'ormconfig.js': `import './b.tasks.js'\n${ESM}export const a = make()`,
      'a.tasks.js': `import './b.tasks.js'`,
      'b.tasks.js': count('b'),
    })

    expect(load(root)).toMatchObject({
      taskFiles: [`${root}/a.tasks.js`, `${root}/b.tasks.js`],
      loadedTwice: [],
    })
  })

  it('by TASK_MODULES: globs from the root or absolute, one or several', () => {
    const root = appOf({
      'src/ormconfig.js': `${JS}module.exports = { a: make(), TASK_MODULES: ['src/jobs/*.{ts,js}', __dirname + '/more/**/*.js'] }`,
      'src/jobs/one.js': '',
      'src/jobs/one.ts': never,
      'src/jobs/one.d.ts': never,
      'src/more/deep/two.js': '',
      'src/tasks.js': never,
    })

    expect(load(root, { dataSource: 'src/ormconfig.js' }).taskFiles).toEqual([
      `${root}/src/jobs/one.js`,
      `${root}/src/more/deep/two.js`,
    ])
  })

  it.each([
    [
      `'jobs/*.js'`,
      `'jobs/*.js' matches no file below ROOT. Correct the glob; it is relative to that folder.`,
    ],
    [
      `['src/*.ts']`,
      `'src/*.ts' matches no JavaScript file below ROOT. The app runs compiled: write the glob from the file's own folder, e.g. join(__dirname, '**/*.tasks.{ts,js}').`,
    ],
    [
      `['src/*.js', 5]`,
      `expected a glob of files that define tasks, got 5. Write e.g. TASK_MODULES = ['src/**/*.tasks.{ts,js}'].`,
    ],
  ])('refuses TASK_MODULES = %s', (globs, message) => {
    const root = appOf({
      'ormconfig.js': `${JS}module.exports = { a: make(), TASK_MODULES: ${globs} }`,
      'src/tasks.js': '',
      'src/only.ts': '',
    })

    expect(load(root).error!.message).toContain(`: ${message.replace('ROOT', root)}`)
  })

  it('and says which of them fails', () => {
    const root = appOf({
      'ormconfig.js': `${JS}exports.a = make()`,
      'mail.tasks.js': `throw new Error('no SMTP host')`,
    })

    expect(load(root).error!.message).toBe(
      `${root}/mail.tasks.js does not load: Error: no SMTP host. Fix the error there; -v 3 shows the stack trace.`,
    )
  })
})
