import { once } from 'node:events'
import { createServer, connect, type AddressInfo, type Server, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

type Direction = 'toServer' | 'toClient'

/** The two halves of one connection through the proxy. */
interface Pair {
  readonly client: Socket
  readonly server: Socket
  /** What is dropped on its way, without a word to either side. */
  readonly silent: Set<Direction>
  /** Bytes of reply after which it is cut; undefined: never. */
  rest: number | undefined
}

/** A TCP proxy in front of a database, that can do to connections what networks do. */
export class Proxy {
  #target: { readonly host: string; readonly port: number }
  readonly #server: Server = createServer((client) => this.#accept(client))
  readonly #pairs = new Set<Pair>()
  #port = 0
  #delay = 0
  #losing: { pattern: RegExp; left: number } | undefined
  /** How many replies were lost by `loseReplyTo`. */
  lost = 0
  /** Connections taken since it was opened. */
  accepted = 0

  static async to(target: { readonly host: string; readonly port: number }): Promise<Proxy> {
    const proxy = new Proxy(target)
    await proxy.accept()
    return proxy
  }

  private constructor(target: { readonly host: string; readonly port: number }) {
    this.#target = target
  }

  get port(): number {
    return this.#port
  }

  get connections(): number {
    return this.#pairs.size
  }

  /** Cuts all connections now. */
  cut(): void {
    for (const pair of this.#pairs) end(pair)
  }

  /** From now on connections that there are carry nothing in that direction, yet stay open; those to come are sound. */
  blackHole(direction: Direction, howMany = this.#pairs.size): void {
    for (const { silent } of [...this.#pairs].slice(0, howMany)) silent.add(direction)
  }

  /** Sends connections to come to another server, as a name does that is made to mean another; those that there are stay. */
  retarget(target: { readonly host: string; readonly port: number }): void {
    this.#target = target
  }

  /** Holds up all that is sent to the server by so many milliseconds; 0: no longer. */
  delay(ms: number): void {
    this.#delay = ms
  }

  /** Takes no connections; those that there are stay. */
  async refuse(): Promise<void> {
    const closed = new Promise((done) => this.#server.close(done))
    // Only the listening ends: `close` itself would wait for the connections.
    this.#server.unref()
    await Promise.race([closed, sleep(20)])
  }

  /** Takes connections, again or for the first time, on the same port. */
  async accept(): Promise<void> {
    this.#server.listen(this.#port, '127.0.0.1')
    await once(this.#server, 'listening')
    this.#port = (this.#server.address() as AddressInfo).port
  }

  /** Cuts each connection that there is after so many further bytes of reply. */
  cutAfter(bytes: number): void {
    for (const pair of this.#pairs) pair.rest = bytes
  }

  /** The server gets the next statements that match; their replies are swallowed and the connection is cut. */
  loseReplyTo(pattern: RegExp, times = 1): void {
    this.#losing = { pattern, left: times }
  }

  async close(): Promise<void> {
    this.cut()
    await this.refuse()
  }

  #accept(client: Socket): void {
    this.accepted++
    const pair: Pair = { client, server: connect(this.#target), silent: new Set(), rest: undefined }
    this.#pairs.add(pair)
    for (const socket of [pair.client, pair.server]) {
      socket.setNoDelay(true)
      socket.on('error', () => end(pair))
      socket.on('close', () => {
        this.#pairs.delete(pair)
        end(pair)
      })
    }
    let before: Promise<unknown> = Promise.resolve()
    pair.client.on('data', (data) => void (before = before.then(() => this.#forward(pair, data))))
    pair.server.on('data', (data) => this.#reply(pair, data))
  }

  async #forward(pair: Pair, data: Buffer): Promise<void> {
    if (this.#delay > 0) await sleep(this.#delay, undefined, { ref: false })
    if (pair.silent.has('toServer') || pair.server.destroyed) return
    if (
      this.#losing &&
      this.#losing.left > 0 &&
      this.#losing.pattern.test(data.toString('latin1'))
    ) {
      this.#losing.left--
      pair.silent.add('toClient')
      pair.server.once('data', () => {
        this.lost++
        end(pair)
      })
    }
    pair.server.write(data)
  }

  #reply(pair: Pair, data: Buffer): void {
    if (pair.silent.has('toClient')) return
    const { rest } = pair
    if (rest === undefined) return void pair.client.write(data)
    pair.rest = rest - data.length
    pair.client.write(data.subarray(0, rest), () => rest <= data.length && end(pair))
  }
}

function end({ client, server }: Pair): void {
  client.destroy()
  server.destroy()
}
