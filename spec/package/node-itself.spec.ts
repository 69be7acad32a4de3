import { execFileSync, spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { nodeProgram } from '../support/node-program'
import { appOf } from '../support/temp-app'

jest.setTimeout(120_000)

const BIN = join(__dirname, '../../dist/cli/index.js')
const program = nodeProgram()
const strips = execFileSync(program, ['-p', 'process.features.typescript ?? ""'], {
  encoding: 'utf8',
}).trim()

/** An app in TypeScript that has no compiler. SQLite of WebAssembly, since better-sqlite3 is compiled for one Node. */
function appWithoutCompiler(more: Record<string, string>): string {
  return appOf(
    {
      'ormconfig.ts': `
        import { DataSource, type DataSourceOptions } from 'typeorm'
        import { DBTaskResult } from 'typeorm-tasks'
        const options: DataSourceOptions = { type: 'sqljs', entities: [DBTaskResult], synchronize: true }
        export const dataSource: DataSource = new DataSource(options)`,
      'numbers.ts': `export const two: number = 2`,
      'a.tasks.ts': `
        import { task } from 'typeorm-tasks'
        import { two } from './numbers.ts'
        export const twice = task('a.twice', async (n: number): Promise<number> => n * two)`,
      ...more,
    },
    { 'typeorm-tasks': '..', 'sql.js': 'sql.js' },
  )
}

function tasks(cwd: string, ...args: string[]): { status: number | null; text: string } {
  const { status, stdout, stderr } = spawnSync(program, [BIN, ...args], { cwd, encoding: 'utf8' })
  return { status, text: stdout + stderr }
}

const whereNodeStrips = strips === '' ? describe.skip : describe

whereNodeStrips('an app without a compiler is loaded by Node itself', () => {
  it.each([
    ['with "type": "module"', '{ "type": "module" }'],
    ['without "type"', '{}'],
  ])('%s', (_, manifest) => {
    const root = appWithoutCompiler({ 'package.json': manifest })

    expect(tasks(root, 'check', '-v', '2')).toMatchObject({
      status: 0,
      text: expect.stringContaining('task a.twice\n'),
    })
    expect(tasks(root, 'enqueue', 'a.twice', '[21]').status).toBe(0)
  })

  it.each([
    ['an enum', `enum Colour { Red }`],
    ['an import without ending', `import './numbers'`],
  ])('which says what to install for %s', (_, text) => {
    const { status, text: told } = tasks(appWithoutCompiler({ 'b.tasks.ts': text }), 'check')

    expect(status).toBe(1)
    expect(told).toMatch(
      /b\.tasks\.ts does not load: .* The app has no compiler, so Node itself removes the types: .*npm install --save-dev @swc\/core\n/,
    )
  })

  it('whose own errors are shown as they are', () => {
    const text = `throw new RangeError('no SMTP host')`

    expect(tasks(appWithoutCompiler({ 'b.tasks.ts': text }), 'check').text).toMatch(
      /RangeError: no SMTP host\. Fix the error there/,
    )
  })
})

it.each([
  ['Bun', 'bun'],
  ['Deno', 'deno'],
])('the command line says that it needs Node, not %s', (name, key) => {
  const root = appOf({})
  // What these runtimes say of themselves.
  writeFileSync(
    join(root, 'runtime.cjs'),
    `Object.defineProperty(process, 'versions', { value: { ...process.versions, ${key}: '1.2.3' } })`,
  )

  const { status, stderr } = spawnSync(program, ['-r', './runtime.cjs', BIN, 'check'], {
    cwd: root,
    encoding: 'utf8',
  })

  expect({ status, stderr }).toEqual({
    status: 1,
    stderr: expect.stringMatching(
      `^error: The command line of typeorm-tasks needs Node, and ${name} 1\\.2\\.3 runs it\\.`,
    ),
  })
})
