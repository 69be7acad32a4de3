import { spawnSync } from 'node:child_process'
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import * as nodeModule from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const HERE = realpathSync(join(__dirname, '../..'))

describe(`compiled code (Node ${process.version} ${'enableCompileCache' in nodeModule ? 'can keep it' : 'keeps none'})`, () => {
  const canKeep = 'enableCompileCache' in nodeModule
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'tasks-installed-')))
  const installed = join(root, 'node_modules/typeorm-tasks')
  const cache = join(root, 'node_modules/.cache/typeorm-tasks')

  beforeAll(() => {
    mkdirSync(installed, { recursive: true })
    cpSync(join(HERE, 'dist'), join(installed, 'dist'), { recursive: true })
    cpSync(join(HERE, 'package.json'), join(installed, 'package.json'))
    symlinkSync(join(HERE, 'node_modules/commander'), join(root, 'node_modules/commander'))
    writeFileSync(
      join(root, 'tell.cjs'),
      "process.on('exit', () => process.stdout.write(`kept in ${require('node:module').getCompileCacheDir?.()}`))",
    )
  })
  afterAll(() => rmSync(root, { recursive: true }))

  function help(env: NodeJS.ProcessEnv = {}): {
    status: number | null
    stderr: string
    folder: string | undefined
  } {
    const others = Object.fromEntries(
      Object.entries(process.env).filter(
        ([name]) => !/^NODE_(\w*COMPILE_CACHE|V8_COVERAGE)$/.test(name),
      ),
    )
    const { status, stderr, stdout } = spawnSync(
      process.execPath,
      ['-r', join(root, 'tell.cjs'), join(installed, 'dist/cli/index.js'), '--help'],
      { env: { ...others, ...env }, encoding: 'utf8' },
    )
    expect(stdout).toContain('db_worker')
    return { status, stderr, folder: /kept in (.*)$/.exec(stdout)?.[1] }
  }

  it('is kept beside the packages, unless the environment says otherwise', () => {
    const none = 'undefined'

    expect(help().folder).toMatch(canKeep ? cache : none)
    expect(help({ NODE_COMPILE_CACHE: join(root, 'elsewhere') }).folder).toMatch(
      canKeep ? join(root, 'elsewhere') : none,
    )
    expect(help({ NODE_DISABLE_COMPILE_CACHE: '1' }).folder).toBe(none)
    expect(help({ NODE_V8_COVERAGE: join(root, 'coverage') }).folder).toBe(none)
  })

  it('is not missed where there is no place for it', () => {
    rmSync(join(root, 'node_modules/.cache'), { recursive: true, force: true })
    writeFileSync(join(root, 'node_modules/.cache'), 'no folder')

    expect(help()).toEqual({ status: 0, stderr: '', folder: 'undefined' })
  })
})
