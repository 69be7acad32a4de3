import { join } from 'node:path'
import { readFileSync } from 'node:fs'
import manifest from '../../package.json'
import {
  installInto,
  linkInto,
  repository,
  runNode,
  tarball,
  temporaryFolder,
  asInstalled,
  writeFiles,
} from '../support/packed'
import { REFUSED_HEAD, refusedTasks } from '../support/refused-tasks'

jest.setTimeout(240_000)

const TYPES = [
  'task',
  'dto',
  'flows',
  'keys',
  'middleware',
  'nestjs',
  'options',
  'schedules',
  'sharded',
  'telemetry',
  'testing',
].map((name) => `${name}.types.ts`)
const OPTIONS = {
  target: 'es2022',
  module: 'nodenext',
  strict: true,
  exactOptionalPropertyTypes: true,
  noEmit: true,
  skipLibCheck: true,
  types: ['node'],
}
const DOORS = Object.keys(manifest.exports)
  .filter((path) => path !== './package.json')
  .map((path) => path.replace('.', 'typeorm-tasks'))
const folder = temporaryFolder('compilers')

/** The packed package, and every compiler under a name of its own. */
beforeAll(() => {
  writeFiles(folder, { 'package.json': { private: true } })
  const nest = ['@nestjs/common', '@nestjs/core', 'rxjs']
  const packages = ['typeorm', 'reflect-metadata', 'class-validator', '@types/node', ...nest].map(
    asInstalled,
  )
  installInto(folder, [tarball(), 'typescript-5.2@npm:typescript@5.2', ...packages])
  for (const name of ['typescript-5', 'typescript-6']) linkInto(folder, name)
  linkInto(folder, 'typescript', 'typescript-7')
  writeFiles(folder, {
    ...Object.fromEntries(
      TYPES.map((name) => [name, readFileSync(join(repository, 'spec/types', name), 'utf8')]),
    ),
    'refused.ts': REFUSED_HEAD + refusedTasks.map(([definition]) => definition).join('\n'),
    'newer.ts': `import { task } from 'typeorm-tasks'
class A { @task('t') static run(when: Date): void {} }
export class B { @task('u') static run(id: number): number { return id } }
`,
    'doors.ts': DOORS.map((door, i) => `import * as d${i} from '${door}'`).join('\n'),
    'tsconfig.json': {
      compilerOptions: { ...OPTIONS, experimentalDecorators: true },
      files: ['refused.ts'],
    },
    'tsconfig.types.json': {
      compilerOptions: {
        ...OPTIONS,
        experimentalDecorators: true,
        emitDecoratorMetadata: true,
      },
      files: TYPES,
    },
    'tsconfig.newer.json': { compilerOptions: OPTIONS, files: ['newer.ts'] },
  })
})

describe.each(['typescript-5.2', 'typescript-5', 'typescript-6', 'typescript-7'])('%s', (name) => {
  it('says for each definition that it refuses what JSON cannot carry, and where', () => {
    const told = compile(name, 'tsconfig.json').split(/^(?=refused\.ts\()/m)
    const first = REFUSED_HEAD.split('\n').length

    for (const [i, [definition, message]] of refusedTasks.entries()) {
      const errors = told.filter((error) => error.startsWith(`refused.ts(${first + i},`))
      expect([definition, errors.join('')]).toEqual([definition, expect.stringContaining(message)])
    }
  })

  it('accepts every sound definition, and every option as undefined', () => {
    expect(compile(name, 'tsconfig.types.json')).toBe('')
  })
})

it.each(['typescript-5.2', 'typescript-7'])('%s says it of newer decorators too', (name) => {
  const told = compile(name, 'tsconfig.newer.json')

  expect(told).toContain('args[0] is a Date')
  expect(told).not.toContain('newer.ts(3,')
})

// Each with one compiler: what is found is up to the manifest. TypeScript 7 has no resolution of Node 10 any more.
it.each([
  ['node10', 'commonjs', 'typescript-5.2'],
  ['node10', 'commonjs', 'typescript-6'],
  ['node16', 'node16', 'typescript-5'],
  ['bundler', 'esnext', 'typescript-7'],
])('every door is found by moduleResolution %s', (moduleResolution, module, name) => {
  const config = `tsconfig.doors-${name}.json`
  const ignored = name === 'typescript-6' ? { ignoreDeprecations: '6.0' } : {}
  const compilerOptions = { ...OPTIONS, ...ignored, module, moduleResolution }
  writeFiles(folder, { [config]: { compilerOptions, files: ['doors.ts'] } })

  expect(compile(name, config)).toBe('')
})

function compile(name: string, config: string): string {
  const { stdout, stderr } = runNode(folder, [`node_modules/${name}/bin/tsc`, '-p', config])
  return stdout + stderr
}
