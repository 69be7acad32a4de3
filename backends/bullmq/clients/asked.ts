import { InvalidSettingsError } from '../../../lib/errors/errors'
import { isRecord } from '../../../lib/errors/option-checks'
import { shown } from '../../../lib/errors/suggestions'
import type { ClusterConnection, Connection } from '../options'
import { isClient, isClusterClient, type Client } from './client-of-app'

const EXPECTED =
  "a URL such as 'redis://user:password@host:6379/0', 'rediss://…' with TLS, the path of a socket, an object of ioredis' options, { cluster: { nodes: [...] } }, or a client of ioredis"

/** What other libraries call an option of ioredis, which would be passed over: it connects to this host then. */
const MISNAMED: Readonly<Record<string, string>> = {
  hostname: 'host',
  user: 'username',
  pass: 'password',
  auth: 'password',
  database: 'db',
  ssl: 'tls',
  nodes: 'cluster: { nodes: [...] }',
  connection: 'the object itself, without "connection" around it',
}

/** How a Redis is reached, told apart. */
export type Way =
  | { readonly how: 'url'; readonly url: string }
  | { readonly how: 'options'; readonly options: Readonly<Record<string, unknown>> }
  | { readonly how: 'cluster'; readonly cluster: ClusterConnection }
  | { readonly how: 'client'; readonly client: Client }

/**
 * Which way to Redis a setting means. Nothing is loaded or opened for it.
 *
 * @param path how an error names the setting, such as `TASKS.fast.OPTIONS.connection`
 * @throws InvalidSettingsError for what can never work.
 */
export function wayOf(connection: Connection, path: string): Way {
  if (typeof connection === 'string') return { how: 'url', url: soundUrl(connection, path) }
  if (isClient(connection)) return { how: 'client', client: soundClient(connection, path) }
  if (!isRecord(connection) || !isPlain(connection)) throw refused(path, connection)
  if ('cluster' in connection)
    return { how: 'cluster', cluster: soundCluster(connection['cluster'], path) }
  return { how: 'options', options: soundOptions(connection, path) }
}

/** Whether the keys are spread over the nodes of a cluster. */
export function isOnCluster(way: Way): boolean {
  return way.how === 'cluster' || (way.how === 'client' && isClusterClient(way.client))
}

/** @throws InvalidSettingsError unless all keys of a backend are on one node of a cluster: a script changes several of them. */
export function assertOneSlot(prefix: string, alias: string): void {
  // Redis takes the first part in braces; an empty one counts as none.
  if (/^[^{]*\{[^}]+\}/.test(prefix)) return
  throw new InvalidSettingsError(
    `TASKS.${alias}.OPTIONS.prefix: "${prefix}" has no part in braces, so the keys of a task would be on several nodes of the cluster.`,
    `Write e.g. "{${prefix.replace(/[{}]/g, '')}}".`,
  )
}

function soundUrl(url: string, path: string): string {
  if (/^\/\S+$/.test(url)) return url
  const parsed = URL.canParse(url) ? new URL(url) : undefined
  const isSound =
    parsed !== undefined &&
    /^rediss?:$/.test(parsed.protocol) &&
    parsed.hostname !== '' &&
    /^(\/\d*)?$/.test(parsed.pathname) &&
    !/\s/.test(url)
  if (isSound) return url
  throw new InvalidSettingsError(
    `${path}: expected ${EXPECTED}, got ${shown(url)}.`,
    'In a URL, write a password as encodeURIComponent gives it; the number of the database stands after the port.',
  )
}

function soundOptions(
  options: Readonly<Record<string, unknown>>,
  path: string,
): Readonly<Record<string, unknown>> {
  if ('url' in options)
    throw new InvalidSettingsError(
      `${path}.url: ioredis has no such option, and would connect to this host.`,
      `Set ${path} to the URL itself.`,
    )
  for (const [name, right] of Object.entries(MISNAMED))
    if (name in options)
      throw new InvalidSettingsError(
        `${path}.${name}: ioredis has no such option, and would pass it over.`,
        `Write ${right}.`,
      )
  assertUsable(options, path)
  const { sentinels, name } = options
  if (sentinels !== undefined) assertSentinels(sentinels, name, path)
  return options
}

function assertSentinels(sentinels: unknown, name: unknown, path: string): void {
  if (!Array.isArray(sentinels) || sentinels.length === 0 || !sentinels.every(isPlace))
    throw new InvalidSettingsError(
      `${path}.sentinels: expected a list of { host, port }, got ${shown(sentinels)}.`,
      'Name each Sentinel, not the servers that they watch.',
    )
  if (typeof name !== 'string' || name === '')
    throw new InvalidSettingsError(
      `${path}.name: expected the name that the Sentinels have for the master, got ${shown(name)}.`,
      "It is the word after `sentinel monitor` in their configuration, e.g. 'mymaster'.",
    )
}

function soundCluster(cluster: unknown, path: string): ClusterConnection {
  if (!isRecord(cluster)) throw refused(`${path}.cluster`, cluster, '{ nodes: [...] }')
  const { nodes, options } = cluster
  const isSound =
    Array.isArray(nodes) &&
    nodes.length > 0 &&
    nodes.every((node) => isPlace(node) || (typeof node === 'string' && node !== ''))
  if (!isSound)
    throw refused(
      `${path}.cluster.nodes`,
      nodes,
      "a list such as ['redis://a:6379', { host, port }]",
    )
  if (options !== undefined && !isRecord(options))
    throw refused(
      `${path}.cluster.options`,
      options,
      "an object of the options of ioredis' Cluster",
    )
  assertUsable(options ?? {}, `${path}.cluster.options`)
  const inner = options?.['redisOptions']
  if (isRecord(inner)) assertUsable(inner, `${path}.cluster.options.redisOptions`)
  return cluster as unknown as ClusterConnection
}

function soundClient(client: Client, path: string): Client {
  assertUsable(client.options as unknown as Readonly<Record<string, unknown>>, path)
  if (client.status !== 'end') return client
  throw new InvalidSettingsError(
    `${path}: this client of ioredis has been closed.`,
    'Pass one that is open, and close it after the tasks: what an app has made, it also closes.',
  )
}

function assertUsable(options: Readonly<Record<string, unknown>>, path: string): void {
  if (typeof options['keyPrefix'] === 'string' && options['keyPrefix'] !== '')
    throw new InvalidSettingsError(
      `${path}: ioredis' option keyPrefix ('${options['keyPrefix']}') cannot be used, since scripts make names of keys without it.`,
      'Leave it out, and set OPTIONS.prefix beside connection.',
    )
  if (options['enableOfflineQueue'] === false)
    throw new InvalidSettingsError(
      `${path}: ioredis' option enableOfflineQueue: false fails all that is sent before a connection is ready, so the first enqueue of each process.`,
      'Leave it out: with a Redis that is away an enqueue fails within seconds as it is.',
    )
}

function refused(path: string, value: unknown, expected = EXPECTED): InvalidSettingsError {
  const isOther = isRecord(value) && typeof value['sendCommand'] === 'function'
  return new InvalidSettingsError(
    `${path}: expected ${expected}, got ${isOther ? 'a client of another library' : shown(value)}.`,
    isOther ? 'Pass a client of ioredis, or the URL.' : 'Correct the setting.',
  )
}

function isPlace(value: unknown): boolean {
  return isRecord(value) && (typeof value['host'] === 'string' || typeof value['port'] === 'number')
}

/** Made by `{ … }`, in whichever realm. */
function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || Object.getPrototypeOf(prototype) === null
}
