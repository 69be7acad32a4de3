import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Connection } from 'rabbitmq-client'
import { folderWith, searchPath } from './binaries'
import { freePort } from './free-port'
import { makePlace, type Place } from './place'

export const rabbitMqHint = 'Install it, for instance: apt-get install rabbitmq-server'

const PATIENCE_MS = 60_000

interface Programs {
  readonly server: string
  readonly epmd: string
}

/** The programs: the server's own script, since that on PATH changes the account by itself. */
export function findRabbitMq(): Programs | undefined {
  const own = ['/usr/lib/rabbitmq/bin', ...searchPath()]
  const server = folderWith(own, 'rabbitmq-server')
  const epmd = folderWith(searchPath(), 'epmd')
  if (server === undefined || epmd === undefined) return undefined
  return { server: join(server, 'rabbitmq-server'), epmd: join(epmd, 'epmd') }
}

/** A broker in a temp folder, on loopback ports of its own, with a port mapper (epmd) of its own. Nothing is left of both. */
export class RabbitMq {
  static async start(): Promise<RabbitMq> {
    const programs = findRabbitMq()
    if (!programs) throw new Error(`RabbitMQ is missing. ${rabbitMqHint}`)
    const broker = new RabbitMq(programs, await freePort(), await freePort(), await freePort())
    try {
      await broker.#startMapper()
      await broker.restart()
    } catch (error) {
      await broker.stop()
      throw error
    }
    return broker
  }

  readonly url: string
  readonly #programs: Programs
  readonly #ports: { readonly broker: number; readonly nodes: number; readonly mapper: number }
  /** Each has a watchman of its own, should this process be killed. */
  readonly #place: Place = makePlace('rabbitmq', 'rabbitmq')
  readonly #mapperPlace: Place = makePlace('epmd', 'rabbitmq')
  #server: ChildProcess | undefined
  #mapper: ChildProcess | undefined

  private constructor(programs: Programs, broker: number, nodes: number, mapper: number) {
    this.#programs = programs
    this.#ports = { broker, nodes, mapper }
    this.url = `amqp://guest:guest@127.0.0.1:${broker}`
  }

  /** Ends the broker as a crash would. */
  async kill(): Promise<void> {
    const pid = this.#pid()
    if (pid !== undefined) process.kill(pid, 'SIGKILL')
    // One that has not written its pid yet: the script and all that it started.
    else if (isAlive(this.#server)) process.kill(-(this.#server.pid ?? 0), 'SIGKILL')
    await ended(this.#server)
    this.#server = undefined
    await rm(this.#place.pidFile, { force: true })
  }

  /** Starts it on the data that is there. */
  async restart(): Promise<void> {
    await this.kill()
    const { folder, as } = this.#place
    writeFileSync(join(folder, 'plugins'), '[].\n')
    const log = openSync(join(folder, 'out'), 'a')
    this.#server = spawn(this.#programs.server, [], {
      ...as,
      cwd: folder,
      env: this.#environment(),
      detached: true,
      stdio: ['ignore', log, log],
    })
    closeSync(log)
    await this.#answering()
  }

  async stop(): Promise<void> {
    await this.kill()
    this.#mapper?.kill('SIGKILL')
    await ended(this.#mapper)
    for (const { folder, leave } of [this.#place, this.#mapperPlace]) {
      await rm(folder, { recursive: true, force: true, maxRetries: 5 })
      leave()
    }
  }

  /** In the foreground: the one that a node starts by itself would outlive it. */
  async #startMapper(): Promise<void> {
    const { as, folder, pidFile } = this.#mapperPlace
    this.#mapper = spawn(
      this.#programs.epmd,
      ['-port', String(this.#ports.mapper), '-address', '127.0.0.1'],
      { ...as, cwd: folder, env: {}, detached: true, stdio: 'ignore' },
    )
    await once(this.#mapper, 'spawn')
    writeFileSync(pidFile, String(this.#mapper.pid))
  }

  #environment(): NodeJS.ProcessEnv {
    const { folder, pidFile } = this.#place
    return {
      PATH: searchPath().join(':'),
      HOME: folder,
      LANG: 'C.UTF-8',
      ERL_EPMD_PORT: String(this.#ports.mapper),
      ERL_EPMD_ADDRESS: '127.0.0.1',
      RABBITMQ_NODENAME: `spec-${this.#ports.broker}@localhost`,
      RABBITMQ_NODE_IP_ADDRESS: '127.0.0.1',
      RABBITMQ_NODE_PORT: String(this.#ports.broker),
      RABBITMQ_DIST_PORT: String(this.#ports.nodes),
      RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '-kernel inet_dist_use_interface {127,0,0,1}',
      RABBITMQ_MNESIA_BASE: join(folder, 'data'),
      RABBITMQ_LOG_BASE: join(folder, 'log'),
      RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, 'plugins'),
      RABBITMQ_CONFIG_FILE: join(folder, 'rabbitmq'),
      RABBITMQ_CONF_ENV_FILE: join(folder, 'none'),
      RABBITMQ_PID_FILE: pidFile,
    }
  }

  async #answering(): Promise<void> {
    const until = Date.now() + PATIENCE_MS
    while (Date.now() < until) {
      if (!isAlive(this.#server)) break
      if (await answers(this.url)) return
      await sleep(200)
    }
    throw new Error(
      `RabbitMQ did not start:\n${readFileSync(join(this.#place.folder, 'out'), 'utf8').slice(-3_000)}`,
    )
  }

  /** The node is a child of the script that is started, and writes its own pid. */
  #pid(): number | undefined {
    const { pidFile } = this.#place
    const pid = existsSync(pidFile) ? Number(readFileSync(pidFile, 'utf8')) : Number.NaN
    return Number.isInteger(pid) && pid > 0 ? pid : undefined
  }
}

async function answers(url: string): Promise<boolean> {
  const connection = new Connection({ url, connectionTimeout: 5_000, retryLow: 60_000 })
  connection.on('error', () => {})
  try {
    await connection.onConnect(5_000, true)
    return true
  } catch {
    return false
  } finally {
    connection.unsafeDestroy()
  }
}

async function ended(child: ChildProcess | undefined): Promise<void> {
  if (isAlive(child)) await once(child, 'exit')
}

function isAlive(child: ChildProcess | undefined): child is ChildProcess {
  return child?.pid !== undefined && child.exitCode === null && child.signalCode === null
}
