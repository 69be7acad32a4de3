import { once } from 'node:events'
import type { Server } from 'node:http'
import { type AddressInfo, isIP } from 'node:net'
import { UsageError } from '../../lib/errors/errors'

/** Where a server listens, and the options of the command line that say so. */
export interface Address {
  /** 0 takes a free one. */
  readonly port: number
  readonly host: string
  /** Such as `--port`: what an error tells to change. */
  readonly portOption: string
  /** Such as `--host`. */
  readonly hostOption: string
}

/**
 * Resolves, when the server listens, to its address as it stands in a URL: `http://127.0.0.1:4747`.
 *
 * @throws UsageError if the port is taken or not allowed, or the host is none of this machine.
 */
export async function listen(server: Server, address: Address): Promise<string> {
  try {
    server.listen(address.port, address.host)
    await once(server, 'listening')
  } catch (error) {
    throw refused(address, error)
  }
  const { port } = server.address() as AddressInfo
  return `http://${isIP(address.host) === 6 ? `[${address.host}]` : address.host}:${port}`
}

function refused({ port, host, portOption, hostOption }: Address, cause: unknown): UsageError {
  const { code } = cause as NodeJS.ErrnoException
  if (code === 'EADDRINUSE')
    return new UsageError(
      `argument ${portOption}: another program listens on port ${port} of ${host}.`,
      'Give another one; 0 takes a free one.',
      { cause },
    )
  if (code === 'EACCES')
    return new UsageError(
      `argument ${portOption}: this user may not listen on port ${port} of ${host}.`,
      'Give one above 1023; 0 takes a free one.',
      { cause },
    )
  return new UsageError(
    `argument ${hostOption}: nothing can listen on port ${port} of ${host} (${code}).`,
    'Give an address of this machine.',
    { cause },
  )
}
