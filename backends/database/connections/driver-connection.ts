import { connect } from 'node:net'
import type { DataSource, QueryRunner } from 'typeorm'
import { inTime } from '../../../lib/clock'

/** Limit in ms for asking the server to end a statement. */
const CANCEL_MS = 5_000

/** The socket of a connection. */
export interface Stream {
  readonly destroyed: boolean
  destroySoon?(): void
}

/** What is used here of a connection of node-postgres. */
interface PgClient {
  readonly host: string
  readonly port: number
  readonly processID: number | null
  readonly secretKey: number | null
  readonly connection?: { readonly stream?: Stream }
  end(): Promise<void>
  on(event: string, listener: (said: { channel: string; payload?: string }) => void): unknown
  once(event: 'end', listener: () => void): unknown
}

/** What is used here of a connection of mysql2. */
interface MysqlConnection {
  readonly threadId: number | null
  readonly stream?: Stream
  destroy(): void
}

/** What is used here of a pool of node-postgres. */
interface PgPool {
  on(
    event: 'connect',
    made: (client: { on(event: 'error', heard: () => void): unknown }) => void,
  ): unknown
}

/**
 * Makes the deaths of new connections of a DataSource harmless: between the pool and TypeORM nobody listens to their errors for a
 * moment, and the error of a server that is shut down just then would end the process.
 */
export function bearDeaths({ driver }: DataSource): void {
  const pool: unknown = Reflect.get(driver, 'master')
  // Who uses the connection hears of it all the same.
  if (isPgPool(pool)) pool.on('connect', (client) => client.on('error', () => {}))
}

/** Closes the connection of a runner, so that it does not return to its pool. False, and nothing done, with drivers that have no pool. */
export async function discard(runner: QueryRunner): Promise<boolean> {
  const connection: unknown = await runner.connect()
  // Not awaited: in a network that drops all packets the server never answers.
  if (isMysql(connection)) connection.destroy()
  else if (isPg(connection)) void connection.end().catch(() => {})
  else return false
  streamOf(connection)?.destroySoon?.()
  await runner.release()
  return true
}

/** Whether the connection is open, as far as this side of it knows. */
export async function isOpen(runner: QueryRunner): Promise<boolean> {
  return !runner.isReleased && (await socketOf(runner))?.destroyed !== true
}

/** The socket of a runner's connection; undefined where the driver is not known here. */
export async function socketOf(runner: QueryRunner): Promise<Stream | undefined> {
  return streamOf(await runner.connect())
}

/**
 * Asks PostgreSQL to cancel the statement that runs on the connection, by another connection, as its protocol demands:
 * otherwise a statement that waits for a lock would wait on after its client has gone. MySQL limits such waits itself.
 */
export async function cancelStatement(runner: QueryRunner): Promise<void> {
  const client: unknown = await runner.connect()
  if (!isPg(client) || client.processID === null || client.secretKey === null) return
  const request = Buffer.alloc(16)
  for (const [i, value] of [16, 80_877_102, client.processID, client.secretKey].entries())
    request.writeInt32BE(value, 4 * i)
  const socket = client.host.startsWith('/')
    ? connect(`${client.host}/.s.PGSQL.${client.port}`)
    : connect(client.port, client.host)
  socket.on('error', () => {}).setTimeout(CANCEL_MS, () => socket.destroy())
  socket.unref().end(request)
}

/**
 * Has the server end the statement that runs on the connection, which must be discarded then. MySQL and MariaDB are asked on
 * another connection of the app's pool, in time: all of them may be in use.
 */
export async function endStatement(runner: QueryRunner): Promise<void> {
  const connection: unknown = await runner.connect()
  if (!isMysql(connection)) return cancelStatement(runner)
  const { threadId } = connection
  if (threadId !== null)
    await inTime(runner.connection.query(`KILL ${Number(threadId)}`), CANCEL_MS).catch(() => {})
}

/** Calls `heard` with each payload on a channel of PostgreSQL; resolves when LISTEN is in effect. */
export async function listen(
  runner: QueryRunner,
  channel: string,
  heard: (payload: string) => void,
): Promise<void> {
  const client: unknown = await runner.connect()
  if (!isPg(client)) return
  client.on('notification', (said) => said.channel === channel && heard(said.payload ?? ''))
  await runner.query(`LISTEN "${channel.replaceAll('"', '""')}"`)
}

/** Resolves when the connection is closed. */
export async function closing(runner: QueryRunner): Promise<void> {
  const client: unknown = await runner.connect()
  if (isPg(client) && (await isOpen(runner)))
    await new Promise<void>((resolve) => void client.once('end', resolve))
}

function streamOf(connection: unknown): Stream | undefined {
  return isMysql(connection)
    ? connection.stream
    : isPg(connection)
      ? connection.connection?.stream
      : undefined
}

function isPg(connection: unknown): connection is PgClient {
  return (
    typeof connection === 'object' &&
    connection !== null &&
    'processID' in connection &&
    'end' in connection
  )
}

function isPgPool(pool: unknown): pool is PgPool {
  return typeof pool === 'object' && pool !== null && 'on' in pool && 'idleCount' in pool
}

function isMysql(connection: unknown): connection is MysqlConnection {
  return (
    typeof connection === 'object' &&
    connection !== null &&
    'threadId' in connection &&
    'destroy' in connection
  )
}
