import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { UsageError } from '#errors'
import { type Answer, serveRoutes, type Site } from '#http-routes'
import { freePort } from '../support/servers/free-port'
import { catchLog } from '../support/tasks'

const said = (body: string, status = 200): Answer => ({ status, type: 'text/plain', body })

function site(port: number, routes: Site['routes'], host = '127.0.0.1'): Site {
  return { port, host, routes, portOption: '--health-port', hostOption: '--health-host' }
}

async function got(url: string, init?: RequestInit): Promise<[number, string]> {
  const answer = await fetch(url, init)
  return [answer.status, await answer.text()]
}

describe('a server of routes', () => {
  it('answers by GET and HEAD what the route says at that moment', async () => {
    let calls = 0
    const [url] = await serveRoutes([
      site(0, { '/one': () => said(`call ${++calls}`), '/two': async () => said('no', 503) }),
    ])

    expect(await got(`${url}/one`)).toEqual([200, 'call 1'])
    expect(await got(`${url}/one?since=2`)).toEqual([200, 'call 2'])
    expect(await got(`${url}/two`)).toEqual([503, 'no'])
    const head = await fetch(`${url}/two`, { method: 'HEAD' })
    expect([head.status, head.headers.get('content-length')]).toEqual([503, '2'])
    expect(head.headers.get('cache-control')).toBe('no-store')
  })

  it('refuses other methods, and names its paths to those who ask for another one', async () => {
    const [url] = await serveRoutes([site(0, { '/one': () => said('one') })])

    expect(await got(`${url}/one`, { method: 'POST', body: 'x' })).toEqual([405, 'Use GET.\n'])
    for (const path of ['/', '/one/', '/toString', '/__proto__'])
      expect(await got(`${url}${path}`)).toEqual([404, 'Nothing is here. There is /one.\n'])
  })

  it('tells the log why a route has failed, and its clients nothing of it', async () => {
    const lines = catchLog()
    const fails = (): Answer => {
      throw new Error('the secret')
    }
    const [url] = await serveRoutes([site(0, { '/one': fails })])

    expect(await got(`${url}/one`)).toEqual([
      500,
      'It has failed; the log of the process says why.\n',
    ])
    expect(lines).toEqual([
      ['error', expect.stringContaining('/one has failed: Error: the secret')],
    ])
  })

  it('is one for sites of one port, and as many as there are ports else', async () => {
    const port = await freePort()
    const one = { '/one': () => said('one') }
    const two = { '/two': () => said('two') }

    const [first, third] = await serveRoutes([site(port, one), site(0, two)])
    const [second] = await serveRoutes([site(port, two)])

    expect([first, second]).toEqual([`http://127.0.0.1:${port}`, `http://127.0.0.1:${port}`])
    expect(await got(`${first}/one`)).toEqual([200, 'one'])
    expect(await got(`${second}/two`)).toEqual([200, 'two'])
    expect((await got(`${third}/one`))[0]).toBe(404)
  })

  it('names a port that is taken, its option and what to do', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const { port } = other.address() as AddressInfo

    const refused = serveRoutes([site(port, {})])

    await expect(refused).rejects.toThrow(UsageError)
    await expect(refused).rejects.toThrow(
      `argument --health-port: another program listens on port ${port} of 127.0.0.1. Give another one; 0 takes a free one.`,
    )
    other.close()
  })

  it('names the option of an address that is not of this machine', async () => {
    await expect(serveRoutes([site(0, {}, '192.0.2.1')])).rejects.toThrow(
      'argument --health-host: nothing can listen on port 0 of 192.0.2.1 (EADDRNOTAVAIL). Give an address of this machine.',
    )
  })

  it('answers while clients hold more connections than it keeps, and send nothing', async () => {
    const port = await freePort()
    const [url] = await serveRoutes([site(port, { '/one': () => said('one') })])
    const sockets: Socket[] = []
    for (let i = 0; i < 70; i++) {
      const socket = connect(port, '127.0.0.1').on('error', () => {})
      await once(socket, 'connect')
      sockets.push(socket)
    }

    expect(await got(`${url}/one`, { headers: { connection: 'close' } })).toEqual([200, 'one'])
    expect(await got(`${url}/one`, { headers: { connection: 'close' } })).toEqual([200, 'one'])
    const [oldest, newest] = [sockets[0], sockets.at(-1)]
    expect([oldest?.closed, newest?.closed]).toEqual([true, false])
    // Those that are left have 3 seconds.
    if (newest?.resume().closed === false) await once(newest, 'close')
  })
})
