import type { Cluster, Redis } from 'ioredis'

export type Client = Redis | Cluster

/** A client of ioredis, by its form: the app may have another copy of the package, or another version. */
export function isClient(value: unknown): value is Client {
  if (typeof value !== 'object' || value === null) return false
  const { defineCommand, duplicate, disconnect, status } = value as Record<string, unknown>
  return (
    [defineCommand, duplicate, disconnect].every((each) => typeof each === 'function') &&
    typeof status === 'string'
  )
}

export function isClusterClient(client: Client): client is Cluster {
  return client.isCluster
}
