import { execFile } from 'node:child_process'
import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { nodeProgram } from '../support/node-program'
import {
  installInto,
  linkInto,
  tarball,
  temporaryFolder,
  asInstalled,
  writeFiles,
} from '../support/packed'

jest.setTimeout(240_000)

const run = promisify(execFile)
const folder = temporaryFolder('bundles')
const NATIVE = 'better-sqlite3'
const ESBUILD = [
  'node_modules/esbuild/bin/esbuild',
  '--bundle',
  '--minify',
  '--platform=node',
  '--log-level=error',
  `--external:${NATIVE}`,
]
/** What an ES module has to bring, since TypeORM is CommonJS. */
const REQUIRE = `import { createRequire } from 'node:module'; const require = createRequire(import.meta.url)`

/** How each is made of main.js, and the file that comes of it. */
const BUNDLES: Record<string, readonly [make: readonly string[], file: string]> = {
  'esbuild, minified': [[...ESBUILD, 'main.js', '--outfile=out/cjs.js'], 'out/cjs.js'],
  'esbuild, minified, ES modules': [
    [...ESBUILD, 'main.js', '--format=esm', `--banner:js=${REQUIRE}`, '--outfile=out/esm.mjs'],
    'out/esm.mjs',
  ],
  webpack: [['webpack.js'], 'out/webpack.js'],
  ncc: [
    ['node_modules/@vercel/ncc/dist/ncc/cli.js', 'build', 'main.js', '-e', NATIVE, '-o', 'out/ncc'],
    'out/ncc/index.js',
  ],
  'esbuild, the library external': [
    [
      ...ESBUILD,
      ...['typeorm-tasks', 'typeorm', 'reflect-metadata'].map((name) => `--external:${name}`),
      'main.js',
      'tasks.js',
      '--outdir=out/external',
    ],
    'out/external/main.js',
  ],
}

// better-sqlite3 is compiled for the Node that installed this repository.
const describeHere = nodeProgram() === process.execPath ? describe : describe.skip

describeHere('a bundle', () => {
  beforeAll(async () => {
    cpSync(join(__dirname, '../support/bundled-app'), folder, { recursive: true })
    writeFiles(folder, {
      'package.json': { private: true },
      'webpack.js': `const webpack = require('webpack')
const externals = { '${NATIVE}': 'commonjs ${NATIVE}' }
const output = { path: __dirname + '/out', filename: 'webpack.js' }
webpack({ mode: 'none', target: 'node', entry: './main.js', externals, output }, (error, stats) => {
  if (error || stats.hasErrors()) throw error ?? new Error(stats.toString({ all: false, errors: true }))
})
`,
    })
    const packages = ['typeorm', 'reflect-metadata'].map(asInstalled)
    const bundlers = ['esbuild@0.28', 'webpack@5', '@vercel/ncc@0.45']
    installInto(folder, [tarball(), ...packages, ...bundlers])
    for (const name of [NATIVE, 'bindings', 'file-uri-to-path']) linkInto(folder, name)
    await Promise.all(Object.values(BUNDLES).map(([make]) => node(...make)))
  })

  const facts = {
    returnValue: 42,
    cancelled: 'typeorm_tasks.TaskCancelled',
    headline: 'TaskCancelled: The task was cancelled.',
    entity: 'DBTaskResult',
    wrongNames: [],
  }

  it.each(['esbuild, minified', 'esbuild, minified, ES modules', 'webpack', 'ncc'])(
    'by %s runs tasks and keeps the names of the library; it cannot isolate, and says what to leave external',
    async (name) => {
      expect(await toldBy(name)).toEqual({
        ...facts,
        isolated: ['NotSupportedError', expect.stringMatching(/Leave typeorm-tasks external/)],
      })
    },
  )

  it('by esbuild isolates where the library is external', async () => {
    const told = await toldBy(
      'esbuild, the library external',
      join(folder, 'out/external/tasks.js'),
    )

    expect(told).toEqual({ ...facts, isolated: ['SUCCESSFUL', true] })
  })
})

async function toldBy(name: string, ...args: string[]): Promise<unknown> {
  return JSON.parse(await node(BUNDLES[name]![1], ...args))
}

async function node(...args: readonly string[]): Promise<string> {
  const env = { ...process.env, NODE_ENV: '', NODE_OPTIONS: '' }
  return (await run(process.execPath, args, { cwd: folder, env })).stdout
}
