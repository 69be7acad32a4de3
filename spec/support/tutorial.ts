import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyInto, newApp, pathOf } from './linked-app'

const PACKAGES = [
  '@types',
  'better-sqlite3',
  'express',
  'pg',
  'reflect-metadata',
  'typeorm',
  '@swc',
]

/** The example with the page, in a folder of its own: compiled, migrated, and its processes to start and kill. */
export class Tutorial {
  readonly folder = newApp(PACKAGES)
  readonly #env: NodeJS.ProcessEnv
  readonly #running: ChildProcess[] = []

  /** `databaseUrl`: of PostgreSQL; absent: SQLite. */
  constructor(databaseUrl?: string) {
    const database = databaseUrl ? { DB: 'postgres', DATABASE_URL: databaseUrl } : {}
    this.#env = { ...process.env, DB: '', PATH: pathOf(this.folder), PORT: '0', ...database }
    copyInto(this.folder, 'examples/express-sqlite', [
      'package.json',
      'tsconfig.json',
      'src',
      'public',
    ])
    this.run('tsc')
    this.run('typeorm', 'migration:run', '-d', 'dist/data-source.js')
  }

  run(command: string, ...args: string[]): string {
    return execFileSync(command, args, { cwd: this.folder, encoding: 'utf8', env: this.#env })
  }

  start(command: string, ...args: string[]): ChildProcess {
    const child = spawn(command, args, {
      cwd: this.folder,
      env: this.#env,
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    this.#running.push(child)
    return child
  }

  worker(...options: string[]): ChildProcess {
    const quick = ['--interval', '0.1', '--no-startup-delay', '-v', '0']
    return this.start('tasks', 'db_worker', '-d', 'dist/data-source.js', ...quick, ...options)
  }

  /** Resolves to the address. */
  async server(): Promise<string> {
    let said = ''
    const { stdout } = this.start('node', 'dist/server.js')
    for await (const chunk of stdout?.iterator({ destroyOnReturn: false }) ?? []) {
      said += String(chunk)
      const found = /Listening on (\S+)/.exec(said)?.[1]
      if (found) return found
    }
    throw new Error(`The server ended, having said: ${said}`)
  }

  async stop(): Promise<void> {
    for (const child of this.#running) await end(child, 'SIGTERM')
  }
}

export async function end(child: ChildProcess, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill(signal)
  await once(child, 'exit')
}
