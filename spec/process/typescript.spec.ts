import { appOf, installed, load } from '../support/temp-app'

const SWC = { '@swc/core': '@swc/core' }
const COMPILERS: Record<string, Record<string, string>> = {
  'TypeScript 5': { typescript: 'typescript-5' },
  'TypeScript 6': { typescript: 'typescript-6' },
  'TypeScript 7 with @swc/core': { typescript: 'typescript', ...SWC },
  '@swc/core alone': SWC,
}
const present = Object.entries(COMPILERS).filter(([, packages]) =>
  Object.values(packages).every(installed),
)

describe.each(present)('an app with %s', (_, compiler) => {
  it.each([
    ['CommonJS', 'TypeORM 1', 'typeorm'],
    ['"type": "module"', 'TypeORM 1', 'typeorm'],
    ['CommonJS', 'TypeORM 0.3', 'typeorm-0.3'],
    ['"type": "module"', 'TypeORM 0.3', 'typeorm-0.3'],
  ])('loads as it is: %s, %s', (modules, _version, typeorm) => {
    const esm = modules !== 'CommonJS'
    const root = appOf(blog(esm), { typeorm, ...compiler })

    const app = load(root, { initialize: true })

    expect(app.error).toBeUndefined()
    expect(app).toMatchObject({
      root,
      file: `${root}/src/data-source.ts`,
      language: 'ts',
      modules: esm ? 'esm' : 'commonjs',
      initialized: false,
    })
    expect(app.tasksSettings).toEqual({
      default: { from: 'paths', esmOnly: 'import condition', mjs: 'own mjs', here: true },
    })
    expect(app.columns).toMatchObject({
      User: { id: 'varchar', born: 'datetime', age: 'integer', big: 'boolean' },
      Post: { id: 'varchar' },
      Note: { text: 'varchar' },
    })
    expect(app.migrations).toEqual(['First1700000000000'])
    expect(app.ownFields).toEqual([])
    expect(app.taskFiles).toEqual([`${root}/src/mail.tasks.ts`])
    expect(app.loadedTwice).toEqual([])
    expect(app.traceback).toContain('src/mail.tasks.ts:7:')
    expect(app.stderr).toBe('')
  })

  it.each([
    [
      'esModuleInterop off',
      '"module": "commonjs", "esModuleInterop": false',
      `import * as make from 'callable'`,
    ],
    [
      'esModuleInterop on',
      '"module": "commonjs", "esModuleInterop": true',
      `import make from 'callable'`,
    ],
    ['a module setting that implies it', '"module": "nodenext"', `import make from 'callable'`],
  ])(
    'reads imports of CommonJS packages as its tsconfig.json says: %s',
    (_name, options, statement) => {
      const root = appOf(
        {
          'tsconfig.json': `{ "compilerOptions": { ${options}, "baseUrl": "./src" } }`,
          'node_modules/callable/index.js': `module.exports = () => 'called'`,
          'src/inner/source.ts': `import { DataSource } from 'typeorm'\nexport const source = new DataSource({ type: 'better-sqlite3', database: ':memory:' })`,
          'ormconfig.ts': `${statement}\nexport { source } from 'inner/source'\nexport const TASKS = make()`,
        },
        compiler,
      )

      expect(load(root)).toMatchObject({ tasksSettings: 'called' })
    },
  )
})

describe('what TypeScript cannot do here is said with its hint', () => {
  const compilers = present.filter(([name]) => name !== '@swc/core alone')

  it.each(compilers)('await outside of a function, with %s', (_, compiler) => {
    const root = appOf(
      { 'ormconfig.ts': `export const x: number = await Promise.resolve(1)` },
      compiler,
    )

    expect(load(root).error).toMatchObject({
      name: 'LoadError',
      message: `${root}/ormconfig.ts uses top-level await, which is not supported in TypeScript files. Export the promise instead of awaiting it, or pass compiled JavaScript with --data-source.`,
    })
  })

  it.each(compilers)(
    'a syntax error in an imported file names that file and the line, with %s',
    (_, compiler) => {
      const root = appOf(
        {
          'ormconfig.ts': `import './settings'`,
          'settings.ts': 'export const a = 1\nexport const = 2\n',
        },
        compiler,
      )

      const { message } = load(root).error!

      expect(message).toContain(`${root}/settings.ts cannot be compiled: `)
      expect(message).toMatch(/line 2|\n 2 │|settings\.ts:2/)
      expect(message).not.toMatch(/backtrace|Caused by|<unknown>/)
      // After code that the compiler shows, on a line of its own.
      expect(message).toMatch(/(^[^\n]* |\n)Check it with: npx tsc --noEmit$/)
    },
  )

  // From 22.18 on, Node removes types: see node-itself.spec.ts.
  const unaided = 'typescript' in process.features && process.features.typescript ? it.skip : it

  unaided('no compiler at all', () => {
    const root = appOf({ 'ormconfig.ts': `export const a = 1` })

    expect(load(root).error!.message).toBe(
      `${root}/ormconfig.ts is TypeScript, but the app has no compiler for it. Run: npm install --save-dev @swc/core (or pass a compiled .js file with --data-source).`,
    )
  })

  unaided('TypeScript 7 alone, which programs cannot call', () => {
    const root = appOf({ 'ormconfig.ts': `export const a = 1` }, { typescript: 'typescript' })

    expect(load(root).error!.message).toMatch(
      /ormconfig\.ts is TypeScript, but TypeScript 7\S* has no API for programs\. Run: npm install --save-dev @swc\/core/,
    )
  })

  it('a tsconfig.json that cannot be read', () => {
    const root = appOf(
      { 'ormconfig.ts': `export const a = 1`, 'tsconfig.json': '{ "extends": "./missing.json" }' },
      SWC,
    )

    expect(load(root).error!.message).toMatch(
      /The tsconfig\.json above .* cannot be read: .*missing\.json/,
    )
  })
})

describe('the app starts with a loader of its own', () => {
  const source = `import { DataSource } from 'typeorm'\nexport const TASKS = { loader: Object.keys(require.extensions).includes('.cts') ? 'ours' : 'own' }\nexport default new DataSource({ type: 'better-sqlite3', database: ':memory:' })\n`

  it('which stays in charge', () => {
    const own = `require.extensions['.ts'] = (module, file) => module._compile(require('typescript-own').compile(require('node:fs').readFileSync(file, 'utf8')), file)`
    const compile = `exports.compile = () => "const { DataSource } = require('typeorm'); exports.TASKS = { loader: 'own' }; exports.default = new DataSource({ type: 'better-sqlite3', database: ':memory:' })"`
    const root = appOf({
      'ormconfig.ts': source,
      'own.js': own,
      'node_modules/typescript-own/index.js': compile,
    })

    expect(load(root, { nodeArgs: ['-r', './own.js'] }).tasksSettings).toEqual({ loader: 'own' })
  })

  const withTsNode = installed('ts-node') && installed('typescript-5') ? it : it.skip
  withTsNode('ts-node reads the app where nothing else could', () => {
    const tsconfig =
      '{ "compilerOptions": { "module": "commonjs", "experimentalDecorators": true, "skipLibCheck": true }, "ts-node": { "transpileOnly": true } }'
    const root = appOf(
      { 'ormconfig.ts': source, 'tsconfig.json': tsconfig },
      { 'ts-node': 'ts-node', typescript: 'typescript-5' },
    )

    expect(load(root, { nodeArgs: ['-r', 'ts-node/register'] })).toMatchObject({
      language: 'ts',
      tasksSettings: { loader: 'own' },
    })
  })
})

/** An app with what TypeORM apps have: a ring of entities, bare @Column(), paths, globs, ES modules, `./x.js` for `./x.ts`. */
function blog(esm: boolean): Record<string, string> {
  const here = esm ? 'import.meta.dirname' : '__dirname'
  return {
    'package.json': JSON.stringify(esm ? { type: 'module' } : {}),
    'tsconfig.json': `{ // comments are allowed here
      "compilerOptions": { "module": "${esm ? 'nodenext' : 'commonjs'}", "target": "es2022", "strict": true, "paths": { "@app/*": ["./src/*"] } } }`,
    'node_modules/only-esm/package.json':
      '{ "name": "only-esm", "type": "module", "exports": { ".": { "import": "./index.js" } } }',
    'node_modules/only-esm/index.js': `export const esmOnly = 'import condition'`,
    'src/own.mjs': `export default 'own mjs'`,
    'src/data-source.ts': `import 'reflect-metadata'
      import { DataSource } from 'typeorm'
      import { settings } from '@app/settings/index.js'
      import { User } from './user.js'
      import { Post } from './post${esm ? '.js' : ''}'
      export const dataSource = new DataSource({
        type: 'better-sqlite3', database: ':memory:', synchronize: true,
        entities: [User, Post, ${here} + '/models/*.{ts,mts}'], migrations: [${here} + '/migrations/*.ts'],
      })
      export default dataSource
      export const TASKS = settings`,
    'src/settings/index.ts': `import { existsSync } from 'node:fs'
      import { esmOnly } from 'only-esm'
      import mjs from '../own.mjs'
      interface Settings { default: object }
      const here: string = ${esm ? 'new URL(import.meta.url).pathname' : '__filename'}
      export const settings: Settings = { default: { from: 'paths', esmOnly, mjs, here: existsSync(here) } } satisfies Settings`,
    'src/user.ts': `import { Column, Entity, OneToMany, OneToOne, PrimaryColumn } from 'typeorm'
      import { Post } from './post.js'
      ;((globalThis as any).loaded ??= []).push('user')
      @Entity()
      export class User {
        @PrimaryColumn() id!: string
        @Column() born!: Date
        @Column() age!: number
        @Column() big!: boolean
        @OneToMany(() => Post, (post) => post.user) posts!: Post[]
        @OneToOne(() => Post) pinned!: Post
      }`,
    'src/post.ts': `import { Entity, ManyToOne, PrimaryColumn } from 'typeorm'
      import { User } from './user.js'
      ;((globalThis as any).loaded ??= []).push('post')
      export const first = 1
      @Entity()
      export class Post {
        @PrimaryColumn() id!: string
        @ManyToOne(() => User, (user) => user.posts) user!: User
      }`,
    'src/models/note.ts': `import { Column, Entity, PrimaryColumn } from 'typeorm'
      ;((globalThis as any).loaded ??= []).push('note')
      @Entity()
      export class Note { @PrimaryColumn() id!: number; @Column() text!: string }`,
    'src/models/tag.mts': `import { Column, Entity, PrimaryColumn } from 'typeorm'
      @Entity()
      export default class Tag { @PrimaryColumn() id!: number; @Column() text!: string }`,
    'src/migrations/1700000000000-first.ts': `import type { MigrationInterface, QueryRunner } from 'typeorm'
      export class First1700000000000 implements MigrationInterface {
        async up(queryRunner: QueryRunner): Promise<void> {}
        async down(queryRunner: QueryRunner): Promise<void> {}
      }`,
    'src/mail.tasks.ts': `
      import { User } from '@app/user.js'
      import { Note } from './models/note.js'
      interface Unused {
        nothing: true
      }
      ;(globalThis as any).traceback = () => new Error(User.name + Note.name).stack
      ;((globalThis as any).loaded ??= []).push('mail.tasks')`,
    'src/mail.tasks.spec.ts': `throw new Error('a spec is no task module')`,
    'dist/mail.tasks.js': `throw new Error('build output is not searched')`,
  }
}
