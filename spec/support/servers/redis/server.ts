import { ThrowAway } from '../throw-away'
import { asked, infoOf } from './asked'
import { redisProgram } from './program'

/** Settings of a Redis as its own configuration names them; each is Redis' default unless told. */
export interface RedisSettings {
  readonly appendonly?: boolean
  readonly appendfsync?: 'always' | 'everysec' | 'no'
  /** Bytes, or with a unit: '4mb'. */
  readonly maxmemory?: number | string
  readonly maxmemoryPolicy?: string
  readonly requirepass?: string
}

/** A throw-away Redis. Without `appendonly` its data is lost with the process. */
export class RedisServer extends ThrowAway {
  readonly #password: string | undefined

  constructor(settings: RedisSettings = {}, more: (port: number) => readonly string[] = () => []) {
    const program = redisProgram()
    super({
      name: 'redis',
      crash: 'SIGKILL',
      quit: 'SIGTERM',
      command: ({ folder }, port) => [
        program,
        ...flags({ port, dir: folder, bind: '127.0.0.1', save: '', databases: 64 }),
        ...flags({
          appendonly: settings.appendonly === true ? 'yes' : undefined,
          appendfsync: settings.appendfsync,
          maxmemory: settings.maxmemory,
          'maxmemory-policy': settings.maxmemoryPolicy,
          requirepass: settings.requirepass,
        }),
        ...more(port),
      ],
      version: (port) =>
        asked(port, (redis) => infoOf(redis, 'redis_version'), settings.requirepass),
    })
    this.#password = settings.requirepass
  }

  /** With the password, if it has one. */
  get url(): string {
    const user = this.#password === undefined ? '' : `:${encodeURIComponent(this.#password)}@`
    return `redis://${user}127.0.0.1:${this.port}`
  }
}

/** Starts a Redis of the spec's own, which it may kill. */
export async function startRedis(settings: RedisSettings = {}): Promise<RedisServer> {
  return await new RedisServer(settings).start()
}

/** Settings as redis-server's command line takes them; those that are not given are left out. */
export function flags(settings: Record<string, string | number | undefined>): string[] {
  return Object.entries(settings).flatMap(([name, value]) =>
    value === undefined ? [] : [`--${name}`, String(value)],
  )
}
