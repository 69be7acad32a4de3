import type { Cluster, Redis } from 'ioredis'
import type { Client } from './client-of-app'

/** By address, nodes that a cluster has named itself and that were never reached. */
const unreached = new WeakMap<Client, Set<string>>()

/** A cluster in a network of its own may name its nodes by addresses that are of that network only. */
export function watchNodes(client: Cluster): void {
  const addresses = new Set<string>()
  unreached.set(client, addresses)
  client.on('+node', (node: Redis) => {
    const address = addressOf(node.options)
    if (isGiven(client, address)) return
    addresses.add(address)
    node.once('ready', () => addresses.delete(address))
  })
  // After a change of the nodes only those of now are of interest.
  client.on('ready', () => {
    const now = client.nodes().map((node) => addressOf(node.options))
    for (const address of addresses) if (!now.includes(address)) addresses.delete(address)
  })
}

/** The address of one of them; undefined: there is none. */
export function unreachedNode(client: Client): string | undefined {
  const [first] = unreached.get(client) ?? []
  return first
}

/** Whether the app has named it: that it is away says nothing of addresses. */
function isGiven(client: Cluster, address: string): boolean {
  const given: unknown = Reflect.get(client, 'startupNodes')
  return Array.isArray(given) && given.some((node) => placeOf(node) === address)
}

function placeOf(node: unknown): string {
  if (typeof node === 'number') return addressOf({ port: node })
  if (typeof node === 'object' && node !== null) return addressOf(node)
  const text = String(node)
  const url = URL.canParse(text) ? new URL(text) : undefined
  return url?.hostname ? addressOf({ host: url.hostname, port: Number(url.port || 6379) }) : text
}

function addressOf({
  host = '127.0.0.1',
  port = 6379,
}: {
  host?: unknown
  port?: unknown
}): string {
  return `${String(host)}:${String(port)}`
}
