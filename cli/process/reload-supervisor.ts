import type { ChildProcess } from 'node:child_process'
import { basename, dirname, relative, resolve, sep } from 'node:path'
import { type FSWatcher, watch } from 'chokidar'
import { log } from '../../lib/events/logger'
import type { Globals } from '../command'
import { packageAbove } from '../app/load-file'
import { onLoaded, SIGNALS, spawnSelf } from './self'

/** Time in ms without changes before a restart: editors and `git checkout` write many files in a row. */
const SETTLE_MS = 200

const SOURCE = /\.[cm]?[jt]sx?$|^(package|tsconfig.*)\.json$/

/** Runs this same command in a child process, and restarts it when the app's source changes. Returns the last child's exit code. */
export async function superviseReloads({ dataSource, nest }: Globals): Promise<number> {
  const appFile = dataSource ?? nest?.split('#')[0] ?? 'ormconfig'
  const { root } = packageAbove(resolve(appFile))
  log.info(`Watching ${root}, and what the worker loads from elsewhere, for changes`)
  const watcher = watch(root, {
    ignoreInitial: true,
    ignored: (path, stats) => isIgnored(root, path, stats?.isFile() ?? false),
  })
  const elsewhere = new Elsewhere(root)
  try {
    return await new Supervisor(watcher, elsewhere, root).finished
  } finally {
    await Promise.all([watcher.close(), elsewhere.watcher.close()])
  }
}

/** Watches the folders of loaded files outside of the app's package, such as those of other packages of a workspace. */
class Elsewhere {
  // Folders, since many editors replace a file by another of the same name.
  readonly watcher = watch([], {
    ignoreInitial: true,
    depth: 0,
    ignored: (path, stats) => (stats?.isFile() ?? false) && !SOURCE.test(basename(path)),
  })
  readonly #root: string
  readonly #folders = new Set<string>()

  constructor(root: string) {
    this.#root = root
  }

  add(files: readonly string[]): void {
    for (const folder of new Set(files.map((file) => dirname(file)))) {
      const isWatched = folder === this.#root || folder.startsWith(this.#root + sep)
      if (isWatched || this.#folders.has(folder)) continue
      this.#folders.add(folder)
      this.watcher.add(folder)
    }
  }
}

/** Restarts one worker process when the source changes. */
class Supervisor {
  readonly finished: Promise<number>
  readonly #root: string
  readonly #elsewhere: Elsewhere
  #child: ChildProcess | undefined
  /** Files that have changed since the last restart. */
  readonly #changes = new Set<string>()
  #timer: NodeJS.Timeout | undefined
  #isRestarting = false
  #isStopping = false
  #lastCode = 0
  #finish: (code: number) => void = () => {}

  constructor(watcher: FSWatcher, elsewhere: Elsewhere, root: string) {
    this.#root = root
    this.#elsewhere = elsewhere
    this.finished = new Promise((resolveFinished) => (this.#finish = resolveFinished))
    for (const each of [watcher, elsewhere.watcher])
      each.on('all', (_, path) => this.#changed(path))
    for (const signal of SIGNALS) process.on(signal, () => this.#signalled(signal))
    process.on('SIGHUP', () => this.#signalled('SIGTERM'))
    this.#start()
  }

  #start(): void {
    this.#isRestarting = false
    const child = spawnSelf((args) => [...args.filter((arg) => arg !== '--reload'), '--no-reload'])
    this.#child = child
    onLoaded(child, (files) => this.#elsewhere.add(files))
    child.on('exit', (code, signal) => this.#ended(code ?? this.#codeOf(signal)))
  }

  /** 0 for one that a stop has met before it listened to signals: it had nothing to finish. */
  #codeOf(killedBy: NodeJS.Signals | null): number {
    return this.#isStopping && SIGNALS.some((signal) => signal === killedBy) ? 0 : 1
  }

  #ended(code: number): void {
    this.#child = undefined
    this.#lastCode = code
    if (this.#isStopping) this.#finish(code)
    else if (this.#isRestarting) this.#start()
    else if (code === 0) this.#finish(code)
    else log.warn(`The worker exited with code ${code}; it restarts at the next change`)
  }

  #changed(path: string): void {
    if (this.#isStopping || this.#isRestarting) return
    this.#changes.add(relative(this.#root, path))
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#restart(), SETTLE_MS)
  }

  #restart(): void {
    if (this.#isStopping) return
    log.info(`${named([...this.#changes])} changed: restarting the worker`)
    this.#changes.clear()
    if (!this.#child) return this.#start()
    this.#isRestarting = true
    this.#child.kill('SIGTERM')
  }

  #signalled(signal: NodeJS.Signals): void {
    this.#isStopping = true
    if (this.#child) this.#child.kill(signal)
    else this.#finish(this.#lastCode)
  }
}

/** Names the last one, which was edited just now, and counts the others. */
function named(files: readonly string[]): string {
  const others = files.length - 1
  return `${files.at(-1)}${others > 0 ? ` and ${others} more` : ''}`
}

/** Watches source files only: databases, logs and files written by tasks must not restart the worker. */
function isIgnored(root: string, path: string, isFile: boolean): boolean {
  if (path === root) return false
  const name = basename(path)
  return name === 'node_modules' || name.startsWith('.') || (isFile && !SOURCE.test(name))
}
