import { connect } from 'node:net'
import type { QueryRunner } from 'typeorm'

const CANCELLING = 5_000

interface Stream {
  readonly destroyed: boolean
  destroySoon?(): void
}

/** What node-postgres has of a connection. */
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

/** What mysql2 has of one. */
interface MysqlConnection {
  readonly threadId: number | null
  readonly stream?: Stream
  destroy(): void
}

/** Ends the connection of a runner, so that it does not get back into its pool. Where drivers have no pool nothing happens. */
export async function discard(runner: QueryRunner): Promise<void> {
  const connection: unknown = await runner.connect()
  // The server is told, but not waited for: in a network that swallows everything it never hears of it.
  if (isMysql(connection)) connection.destroy()
  else if (isPg(connection)) void connection.end().catch(() => {})
  else return
  streamOf(connection)?.destroySoon?.()
  await runner.release()
}

/** Whether the runner may still be asked, as far as this side of the connection can tell. */
export async function isOpen(runner: QueryRunner): Promise<boolean> {
  if (runner.isReleased) return false
  return streamOf(await runner.connect())?.destroyed !== true
}

/**
 * Asks PostgreSQL to give up what the connection is at, by another one, as its protocol wants it: else a statement that
 * waits for a lock would go on waiting when its client is long gone. MySQL has a limit of its own for such waits.
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
  socket.on('error', () => {}).setTimeout(CANCELLING, () => socket.destroy())
  socket.unref().end(request)
}

/** Calls `heard` with what is said on a channel of PostgreSQL's, from now on; resolves as soon as the server says it is so. */
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

/** Resolves when the connection is no more. */
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

function isMysql(connection: unknown): connection is MysqlConnection {
  return (
    typeof connection === 'object' &&
    connection !== null &&
    'threadId' in connection &&
    'destroy' in connection
  )
}
