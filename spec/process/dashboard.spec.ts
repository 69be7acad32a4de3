import { chmodSync, existsSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { delimiter, join } from 'node:path'
import { type CliApp, cliApp, until } from '../support/cli-app'
import { askOf, change } from '../support/dashboard'

let app: CliApp
beforeAll(async () => {
  app = await cliApp({ allTables: true })
})

const LINK = /(http:\/\/127\.0\.0\.1:\d+\/)#token=([\w-]{43})\n/

async function started(...more: string[]) {
  const running = app.start('dashboard', '--port', '0', ...more)
  await running.says('Press Ctrl+C')
  const [, url = '', token = ''] = LINK.exec(running.log) ?? []
  return { running, url, ask: askOf(`${url}api/1/`), token }
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` })

describe('tasks dashboard', () => {
  it('prints a link whose token opens the page, and nothing opens it but that', async () => {
    const [id = ''] = await app.enqueue('app.add', [[1, 2]])
    const { running, url, ask, token } = await started()

    const page = await fetch(url)
    const [, script = ''] =
      /<script type="module" src="(app\.\w+\.js)"/.exec(await page.text()) ?? []
    const asset = await fetch(`${url}${script}`)
    expect([asset.status, asset.headers.get('cache-control')]).toEqual([
      200,
      'public, max-age=31536000, immutable',
    ])
    expect((await fetch(`${url}app.OLD.js`)).status).toBe(404)
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'")
    for (const headers of [{}, bearer(`${token}x`), bearer(''), { authorization: token }]) {
      const refused = await ask(`tasks/${id}`, { headers })
      expect([refused.status, refused.headers.get('www-authenticate')]).toEqual([
        401,
        'Bearer realm="Tasks"',
      ])
      expect(refused.body.error.message).toContain('npx tasks dashboard')
    }
    const shown = await ask(`tasks/${id}`, { headers: bearer(token) })
    expect(shown.body).toMatchObject({ id, task: 'app.add', args: [1, 2], status: 'READY' })
    const cancelled = await ask('tasks/cancel', change({ ids: [id] }, bearer(token)))
    expect(cancelled.body.changed).toEqual([id])
    expect((await app.row(id)).status).toBe('FAILED')
    await running.says(`Dashboard: cancel in default, 1 changed: ${id}`)

    running.kill('SIGTERM')
    expect(await running.exited).toEqual({ code: 0, signal: null })
  })

  it('ends at Ctrl+C also while pages are open', async () => {
    const { running, url, token } = await started()
    const answer = await fetch(`${url}api/1/events?show=overview`, { headers: bearer(token) })
    const reader = (answer.body ?? new ReadableStream<Uint8Array>()).getReader()
    let told = ''
    while (!told.includes('event: value')) {
      const { value, done } = await reader.read()
      expect(done).toBe(false)
      told += Buffer.from(value ?? []).toString()
    }

    running.kill('SIGINT')

    expect(await running.exited).toEqual({ code: 0, signal: null })
  })

  it('changes nothing with --read-only', async () => {
    const [id = ''] = await app.enqueue('app.add', [[1, 2]])
    const { running, ask, token } = await started('--read-only')

    expect((await ask(`tasks/${id}`, { headers: bearer(token) })).body.args).toEqual([1, 2])
    const refused = await ask('tasks/cancel', change({ ids: [id] }, bearer(token)))
    expect([refused.status, (await app.row(id)).status]).toEqual([403, 'READY'])
    running.kill('SIGTERM')
    expect((await running.exited).code).toBe(0)
  })

  it('takes the token of a file, and does not print it', async () => {
    const token = 'a'.repeat(30)
    app.write('token', `${token}\n`)
    const running = app.start('dashboard', '--port', '0', '--token-file', 'token')
    await running.says('Press Ctrl+C')

    expect(running.log).not.toContain(token)
    const [url = ''] = /http:\S+/.exec(running.log) ?? []
    const answer = await askOf(`${url}api/1/`)('overview', { headers: bearer(token) })
    expect([answer.status, answer.body.title]).toEqual([200, 'Tasks'])
    running.kill('SIGTERM')
    expect((await running.exited).code).toBe(0)
  })

  it('is refused to other machines without a token of their own, and where there is none', async () => {
    app.write('short', 'abc\n')
    const call = async (...args: string[]) => {
      const { code, stdout, stderr } = await app.tasks('dashboard', ...args)
      return [code, stdout, stderr]
    }
    const wrong = (text: string) => [2, '', expect.stringContaining(text)]
    expect(await call('--host', '0.0.0.0')).toEqual(wrong('--token-file'))
    expect(await call('--token-file', 'short')).toEqual(wrong('at least 20'))
    expect(await call('--token-file', join('no', 'such'))).toEqual(wrong('ENOENT'))
    expect(await call('--port', '99999')).toEqual(wrong('0 to 65535'))
  })

  const itWhereFound = process.platform === 'linux' ? it : it.skip
  itWhereFound(
    'opens a browser by a file, since all users see what a program is called with',
    async () => {
      app.write('xdg-open', '#!/bin/sh\necho "opened $1" > opened; cat "$1" >> opened\n')
      chmodSync(join(app.root, 'xdg-open'), 0o755)
      const path = process.env['PATH'] ?? ''
      process.env['PATH'] = `${app.root}${delimiter}${path}`
      const { running, url, token } = await started('--open')
      process.env['PATH'] = path

      const file = join(app.root, 'opened')
      await until(
        () => existsSync(file) && readFileSync(file, 'utf8').includes('refresh'),
        () => 'the browser',
      )
      const [called = '', page = ''] = readFileSync(file, 'utf8').split('\n')
      expect(called).not.toContain(token)
      expect(page).toContain(`url=${url}#token=${token}`)
      running.kill('SIGTERM')
      await running.exited
      expect(existsSync(called.replace('opened ', ''))).toBe(false)
    },
  )

  it('says that its port is taken', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await new Promise((done) => other.once('listening', done))
    const { port } = other.address() as { port: number }

    const { code, stderr } = await app.tasks('dashboard', '--port', String(port))

    other.close()
    expect([code, stderr]).toEqual([
      2,
      `error: argument --port: another program listens on port ${port} of 127.0.0.1. Give another one; 0 takes a free one.\n`,
    ])
  })
})
