import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Connection } from 'rabbitmq-client'
import { DataSource } from 'typeorm'
import { DBTaskResult } from 'typeorm-tasks'
import { Program, until } from '../support/cli-app'
import { copyInto, newApp, pathOf, repository } from '../support/linked-app'
import { findRabbitMq, RabbitMq, rabbitMqHint } from '../support/servers/rabbitmq'

jest.setTimeout(180_000)

const EXAMPLE = 'examples/rabbitmq'
const FILES = ['package.json', 'ormconfig.js', 'tasks.js', 'main.js', 'send.js', 'consume.js']
const PACKAGES = ['better-sqlite3', 'rabbitmq-client', 'reflect-metadata', 'typeorm', 'uuid']

if (!findRabbitMq()) {
  process.stderr.write(
    `\n*** MISSING: RabbitMQ. ${rabbitMqHint}. Its example is ${process.env['CI'] ? 'failed' : 'skipped'}. ***\n\n`,
  )
  ;(process.env['CI'] ? it : it.skip)('the example of RabbitMQ needs a rabbitmq-server', () => {
    throw new Error(`Under CI every server must be there. ${rabbitMqHint}`)
  })
} else
  describe('the example of RabbitMQ', () => {
    let broker: RabbitMq
    let app: string
    const closing: (() => Promise<void>)[] = []
    const env = (): { RABBITMQ_URL: string } => ({ RABBITMQ_URL: broker.url })

    beforeAll(async () => {
      broker = await RabbitMq.start()
    })
    beforeEach(() => {
      app = newApp(PACKAGES)
      copyInto(app, EXAMPLE, [...FILES, 'rabbitmq-backend.js', 'consumer.js'])
    })
    afterEach(async () => {
      for (const close of closing.splice(0)) await close()
    })
    afterAll(async () => await broker.stop())

    it('prints what its README says', () => {
      const [, told] =
        /```\n(1\. [^`]+)```/.exec(readFileSync(join(repository, EXAMPLE, 'README.md'), 'utf8')) ??
        []

      const { status, stdout, stderr } = spawnSync('npm', ['start', '--silent'], {
        cwd: app,
        encoding: 'utf8',
        env: { ...process.env, ...env(), PATH: pathOf(app) },
      })

      expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: told, stderr: '' })
      expect(stdout.split('\n').every((line) => line.length <= 80)).toBe(true)
    })

    it('loses no confirmed order and enqueues none twice, though consumer and broker are killed', async () => {
      const consumers: Program[] = []
      const consumer = (): Program => {
        const begun = new Program(app, 'consume.js', [], env())
        consumers.push(begun)
        return begun
      }
      const carried = (): number =>
        consumers.reduce((sum, { log }) => sum + (log.match(/^enqueued /gm)?.length ?? 0), 0)
      const again = (): number =>
        consumers.reduce((sum, { log }) => sum + (log.match(/^known /gm)?.length ?? 0), 0)
      const sender = new Program(app, 'send.js', ['1500'], env())

      let running = consumer()
      for (const [kill, at] of [
        ['consumer', 100],
        ['consumer', 250],
        ['broker', 400],
        ['consumer', 550],
      ] as const) {
        await until(
          () => carried() >= at,
          () => `${at} orders:\n${running.log.slice(-2_000)}\n${sender.log.slice(-2_000)}`,
          60_000,
        )
        if (kill === 'broker') {
          await broker.kill()
          await sleep(500)
          await broker.restart()
        } else {
          running.kill('SIGKILL')
          await running.exited
          running = consumer()
        }
      }
      expect(await sender.exited).toMatchObject({ code: 0 })
      const confirmed = sender.log.match(/^[\da-f]{8}-[\da-f-]{27}$/gm) ?? []
      const rows = await new DataSource({
        type: 'better-sqlite3',
        database: join(app, 'example.sqlite'),
        entities: [DBTaskResult],
      }).initialize()
      try {
        const found = () => rows.getRepository(DBTaskResult).find()
        const missing = async (): Promise<string[]> => {
          const ids = new Set((await found()).map(({ id }) => id))
          return confirmed.filter((id) => !ids.has(id))
        }
        await until(
          async () => (await missing()).length === 0,
          () => `confirmed orders:\n${running.log.slice(-2_000)}`,
          30_000,
        )
        const sent = (await found()).map(({ argsKwargs }) => JSON.stringify(argsKwargs))
        process.stdout.write(
          `${confirmed.length} confirmed of 1500, ${sent.length} rows, ${consumers.length} consumers, ${again()} messages came again\n`,
        )
        expect(confirmed.length).toBeGreaterThan(1_000)
        expect(new Set(sent).size).toBe(sent.length)
      } finally {
        await rows.destroy()
      }
      running.kill('SIGKILL')
      await running.exited
    })

    it('says what it waits for where no broker is, and ends with what to do', async () => {
      const away = { RABBITMQ_URL: 'amqp://guest:secret@127.0.0.1:1' }
      const advice =
        /not confirmed: .*\nIs RabbitMQ at 127\.0\.0\.1:1, with this user\? Start it, or set RABBITMQ_URL\.\n$/
      const sender = new Program(app, 'send.js', ['100'], away)
      const whole = new Program(app, 'main.js', [], away)
      const begun = Date.now()
      for (const program of [sender, whole]) {
        expect(await program.exited).toMatchObject({ code: 1 })
        expect(program.log).toMatch(advice)
        expect(program.log).not.toContain('secret')
      }
      expect(Date.now() - begun).toBeLessThan(30_000)
      expect(sender.log).toContain('waiting for RabbitMQ at 127.0.0.1:1\n')
    })

    it('puts what can never be enqueued aside, and goes on', async () => {
      const connection = new Connection(broker.url)
      connection.on('error', () => {})
      const publisher = connection.createPublisher({ confirm: true })
      closing.push(
        () => publisher.close(),
        () => connection.close(),
      )
      const consumer = new Program(app, 'consume.js', [], env())
      await new Program(app, 'send.js', ['1'], env()).exited
      const id = '01981c1e-7c2a-7b3c-8d4e-5f6071829304'
      const body = { args: ['x'], kwargs: {}, queueName: 'default' }
      const sound = { routingKey: 'tasks', durable: true, type: 'mail.welcome', messageId: id }
      await publisher.send({ ...sound, type: 'no name' }, body)
      await publisher.send({ ...sound, messageId: 'job-1' }, body)
      await publisher.send(sound, { ...body, queueName: 'nobody' })
      await publisher.send(sound, 'no order')
      await publisher.send(sound, body)
      await publisher.send(sound, body)

      await consumer.says(`known ${id}`)
      await until(
        async () =>
          (await connection.queueDeclare({ queue: 'tasks.refused', passive: true }))
            .messageCount === 4,
        () => `four refused orders:\n${consumer.log}`,
      )
      consumer.kill('SIGTERM')
      expect(await consumer.exited).toMatchObject({ code: 0 })
    })
  })
