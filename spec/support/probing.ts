import { freePort } from './servers/free-port'

/** What a port, or the command, has told of a worker. */
export interface Told {
  readonly live: boolean
  readonly ready: boolean
  readonly started: boolean
  readonly problems: string[]
  readonly state: string
  readonly [more: string]: unknown
}

/** An orchestrator gives an answer a second; a machine four times slower needs four. */
const ANSWER_MS = 4_000

/** An orchestrator's way to look: an answer that takes too long is none. */
export class Prober {
  readonly port: number

  private constructor(port: number) {
    this.port = port
  }

  static async atFreePort(): Promise<Prober> {
    return new Prober(await freePort())
  }

  /** The arguments that a worker needs for it. */
  get args(): string[] {
    return ['--health-port', String(this.port)]
  }

  /** The status of the path; 0 if there is no answer. */
  async status(path: string): Promise<number> {
    return (await this.#get(path))?.status ?? 0
  }

  /** Those of live, ready and started. */
  async all(): Promise<number[]> {
    return Promise.all(['/livez', '/readyz', '/startupz'].map((path) => this.status(path)))
  }

  async report(): Promise<Told> {
    const answer = await this.#get('/livez')
    if (!answer) throw new Error('There was no answer.')
    return answer.json() as Promise<Told>
  }

  async #get(path: string): Promise<Response | undefined> {
    try {
      return await fetch(`http://127.0.0.1:${this.port}${path}`, {
        signal: AbortSignal.timeout(ANSWER_MS),
        headers: { connection: 'close' },
      })
    } catch {
      return undefined
    }
  }
}
