import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { Proxy } from './proxy'
import { until } from './until'

/** Says everything back, in capitals. */
let echo: Server
let heard: string
let proxy: Proxy
const clients: Socket[] = []

beforeEach(async () => {
  heard = ''
  echo = createServer((socket) => {
    socket.on('error', () => {})
    socket.on('data', (data) => {
      heard += data.toString()
      socket.write(data.toString().toUpperCase())
    })
  })
  echo.listen(0, '127.0.0.1')
  await once(echo, 'listening')
  proxy = await Proxy.to({ host: '127.0.0.1', port: (echo.address() as AddressInfo).port })
})
afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy()
  await proxy.close()
  echo.close()
})

it('passes everything on', async () => {
  const client = await guest()

  client.say('naïve')

  await client.hears('NAÏVE')
})

it('cuts all connections, and takes new ones', async () => {
  const client = await guest()

  proxy.cut()

  await client.closed
  const next = await guest()
  next.say('again')
  await next.hears('AGAIN')
})

it.each([
  ['toServer', ''],
  ['toClient', 'lost'],
] as const)('drops what goes %s and keeps the connection', async (direction, arrives) => {
  const [client, other] = [await guest(), await guest()]
  proxy.blackHole(direction, 1)

  client.say('lost')
  other.say(' kept')

  await other.hears(' KEPT')
  await sleep(100)
  expect([client.text, client.isClosed]).toEqual(['', false])
  expect(heard.replace(' kept', '')).toBe(arrives)
})

it('delays, and keeps the order', async () => {
  const client = await guest()
  proxy.delay(150)
  const start = performance.now()

  client.say('a')
  client.say('b')

  await client.hears('AB')
  expect(performance.now() - start).toBeGreaterThanOrEqual(149)
})

it('refuses connections, and takes them again on the same port', async () => {
  const client = await guest()
  const { port } = proxy
  await proxy.refuse()
  await expect(guest()).rejects.toThrow('ECONNREFUSED')
  client.say('still')
  await client.hears('STILL')

  await proxy.accept()

  expect(proxy.port).toBe(port)
  const next = await guest()
  next.say('here')
  await next.hears('HERE')
})

it('leads to another server from now on', async () => {
  const client = await guest()
  const other = createServer(
    (socket) => void socket.on('error', () => {}).on('data', () => socket.write('other')),
  )
  other.listen(0, '127.0.0.1')
  await once(other, 'listening')

  proxy.retarget({ host: '127.0.0.1', port: (other.address() as AddressInfo).port })

  const next = await guest()
  next.say('who')
  await next.hears('other')
  client.say('same')
  await client.hears('SAME')
  other.close()
})

it('cuts after so many bytes of the reply', async () => {
  const client = await guest()
  proxy.cutAfter(3)

  client.say('abcdef')

  await client.closed
  expect(client.text).toBe('ABC')
})

it('lets the server have a statement, and loses its reply', async () => {
  const client = await guest()
  proxy.loseReplyTo(/commit/)
  client.say('begin')
  await client.hears('BEGIN')

  client.say('commit')

  await client.closed
  expect([heard, client.text, proxy.lost]).toEqual(['begincommit', 'BEGIN', 1])
})

async function guest() {
  const socket = connect(proxy.port, '127.0.0.1')
  clients.push(socket)
  const closed = once(socket, 'close').catch(() => {})
  const client = {
    text: '',
    isClosed: false,
    closed,
    say: (text: string) => void socket.write(text),
    hears: (text: string) =>
      until(
        () => client.text === text,
        2_000,
        () => `"${text}", heard "${client.text}"`,
      ),
  }
  socket.on('data', (data) => (client.text += data.toString()))
  void closed.then(() => (client.isClosed = true))
  await once(socket, 'connect')
  socket.on('error', () => {})
  return client
}
