import { accessOf, type Caller, openAccess, PERMISSIONS } from '../../../dashboard/security/access'
import { forgery } from '../../../dashboard/security/guard'

const here: Caller = {
  headers: new Headers({ host: 'localhost:3000' }),
  remoteAddress: '127.0.0.1',
  localAddress: '::1',
  httpVersion: '1.1',
}
const withHeaders = (headers: Record<string, string>): Caller => ({
  ...here,
  headers: new Headers({ host: 'localhost:3000', ...headers }),
})

describe('a dashboard without authorize', () => {
  it.each<[string, Caller]>([
    ['IPv4', here],
    ['IPv4 in IPv6', { ...here, remoteAddress: '::ffff:127.0.0.1' }],
    ['[::1]', withHeaders({ host: '[::1]:80' })],
    [
      'its own page',
      withHeaders({ origin: 'http://localhost:3000', referer: 'http://localhost:3000/x/' }),
    ],
    ['HTTP/2', { ...here, httpVersion: '2.0' }],
  ])('is open to this machine: %s', (_what, caller) => {
    expect(openAccess(caller, undefined)).toBeNull()
  })

  it.each<[string, Caller]>([
    ['another machine', { ...here, remoteAddress: '10.0.0.7' }],
    ['another address of this machine', { ...here, localAddress: '10.0.0.2' }],
    ['nobody knows whom', { ...here, remoteAddress: null }],
    ['a name like an address', { ...here, remoteAddress: '127.0.0.1.evil.example' }],
    ['another host, whose name points here', withHeaders({ host: 'evil.example' })],
    ['a host that begins alike', withHeaders({ host: 'localhost.evil.example' })],
    ['a proxy that adds nothing', { ...here, httpVersion: '1.0' }],
    ['a page of another host', withHeaders({ origin: 'https://shop.example' })],
    ['a page of nobody', withHeaders({ origin: 'null' })],
    ['a link of another host', withHeaders({ referer: 'https://shop.example/x' })],
    ['a network that delivers pages', withHeaders({ 'cf-connecting-ip': '1.2.3.4' })],
    ['a proxy', withHeaders({ 'x-forwarded-for': '127.0.0.1' })],
    ['a proxy that says it otherwise', withHeaders({ forwarded: 'for=1.2.3.4' })],
  ])('is closed to %s, and says what to do', (_what, caller) => {
    expect(openAccess(caller, 'development')).toMatchObject({
      status: 403,
      message: expect.stringContaining('authorize') as string,
    })
  })

  it('is closed in production', () => {
    expect(openAccess(here, 'production')?.status).toBe(403)
  })
})

describe('what authorize gives', () => {
  it('grants all, or what is in the list', () => {
    expect([...(accessOf('all') as Set<string>)]).toEqual(PERMISSIONS)
    expect([...(accessOf(['view', 'retry']) as Set<string>)]).toEqual(['view', 'retry'])
  })

  it('hides the page, or asks to log in', () => {
    for (const nothing of [null, [], ['retry'] as const])
      expect(accessOf(nothing)).toMatchObject({ status: 404 })
    expect(accessOf('login')).toMatchObject({
      status: 401,
      headers: { 'WWW-Authenticate': expect.stringMatching(/^Basic /) as string },
    })
  })

  it.each([true, 'admin', ['view', 'everything'], {}, undefined])(
    'is refused if it is %j',
    (granted) => {
      expect(() => accessOf(granted as never)).toThrow(/authorize of the dashboard gave/)
    },
  )

  it('is asked for a return, where it gave nothing', () => {
    expect(() => accessOf(undefined as never)).toThrow(/lack a return\?/)
  })
})

describe('a change', () => {
  const json = { 'content-type': 'application/json; charset=utf-8', 'x-tasks': '1', host: 'h:1' }

  it.each<[string, Record<string, string>]>([
    ['a browser says it comes from here', { 'sec-fetch-site': 'same-origin' }],
    ['its origin is this host', { origin: 'http://h:1' }],
    ['its origin is named', { origin: 'https://tasks.example', 'sec-fetch-site': 'cross-site' }],
  ])('is made if %s', (_what, headers) => {
    expect(forgery(new Headers({ ...json, ...headers }), ['https://tasks.example'])).toBeNull()
  })

  it.each<[number, string, Record<string, string>]>([
    [403, 'comes from nowhere', {}],
    [403, 'comes from another site', { 'sec-fetch-site': 'cross-site', origin: 'http://h:1' }],
    [403, 'comes from a sister', { 'sec-fetch-site': 'same-site', origin: 'http://a.h:1' }],
    [403, 'has another origin', { origin: 'http://h:2' }],
    [403, 'has a hidden origin', { origin: 'null' }],
    [403, 'has no header of ours', { 'sec-fetch-site': 'same-origin', 'x-tasks': '' }],
    [415, 'is a form', { 'sec-fetch-site': 'same-origin', 'content-type': 'text/plain' }],
    [
      415,
      'is almost JSON',
      { 'sec-fetch-site': 'same-origin', 'content-type': 'application/jsonp' },
    ],
  ])('is refused with %i if it %s', (status, _what, headers) => {
    expect(forgery(new Headers({ ...json, ...headers }), [])).toMatchObject({ status })
  })
})
