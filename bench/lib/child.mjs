import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { nodeProgram } from './prepare.mjs'

const program = fileURLToPath(new URL('contender-process.mjs', import.meta.url))

/** A contender in a process of its own. */
export class Child {
  #process
  #waiting = new Map()
  #asked = 0
  #words = ''

  /** @param flags Options of Node, e.g. `--expose-gc`. */
  static async start(contender, address, settings, flags = []) {
    const child = new Child(flags)
    await child.ask('open', { contender, address, settings })
    return child
  }

  constructor(flags) {
    this.#process = fork(program, [], {
      execPath: nodeProgram(),
      execArgv: flags,
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    })
    for (const stream of [this.#process.stdout, this.#process.stderr])
      stream.on('data', (text) => (this.#words = (this.#words + text).slice(-4_000)))
    this.#process.on('message', ({ id, value, error }) => {
      const { resolve, reject } = this.#waiting.get(id)
      this.#waiting.delete(id)
      if (error === undefined) resolve(value)
      else reject(new Error(error))
    })
    this.#process.on('exit', (code, signal) => {
      for (const { reject } of this.#waiting.values())
        reject(new Error(`ended with ${signal ?? code}: ${this.#words.trim()}`))
    })
  }

  get pid() {
    return this.#process.pid
  }

  /** Runs one of the verbs of contender-process.mjs there. */
  ask(verb, wish = {}) {
    return new Promise((resolve, reject) => {
      const id = ++this.#asked
      this.#waiting.set(id, { resolve, reject })
      this.#process.send({ id, verb, wish })
    })
  }

  /** Lets it end by itself, so that Node writes what it was asked for. */
  async leave() {
    const gone = once(this.#process, 'exit')
    this.#process.disconnect()
    await gone
  }

  /** Ends it: it has nothing that is worth a goodbye, its database is dropped. */
  async end() {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return
    const gone = once(this.#process, 'exit')
    this.#process.kill('SIGKILL')
    await gone
  }
}

/** Runs `work` with a child of its own, and ends it whatever happens. */
export async function withChild(contender, address, settings, work, flags = []) {
  const child = await Child.start(contender, address, settings, flags)
  try {
    return await work(child)
  } finally {
    await child.end()
  }
}
