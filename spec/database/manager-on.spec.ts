import { DataSource, type DataSourceOptions } from 'typeorm'
import {
  atomic,
  DBTaskResult,
  InvalidTaskError,
  managerOn,
  runUntilEmpty,
  task,
} from 'typeorm-tasks'
import { describeEachDatabase, type FreshOptions, isMySqlFamily } from '../support/databases'
import { BEGIN, clientOn, configure, type Foreign } from '../support/foreign-clients'

const note = task('spec.note', async (text: string) => text)

describeEachDatabase((database) => {
  let dataSource: DataSource
  let foreign: Foreign

  beforeAll(async () => {
    dataSource = await database.connect({ entities: [DBTaskResult], synchronize: true })
    configure(dataSource)
    foreign = await clientOn(dataSource.options as FreshOptions)
    await foreign.run('CREATE TABLE person (name VARCHAR(20))')
  })
  afterEach(async () => {
    await foreign.run('ROLLBACK').catch(() => {})
    await dataSource.getRepository(DBTaskResult).clear()
    await foreign.run('DELETE FROM person')
  })
  afterAll(() => foreign.end())

  const joined = (): typeof note => note.using({ manager: managerOn(dataSource, foreign.client) })
  const texts = async (): Promise<unknown[]> =>
    (await dataSource.getRepository(DBTaskResult).find())
      .map(({ argsKwargs }) => String(argsKwargs.args[0]))
      .toSorted()
  const people = async (): Promise<number> =>
    Number((await dataSource.query<{ n: string }[]>('SELECT count(*) AS n FROM person'))[0]!.n)

  it('a task commits with what the client has written, and not before', async () => {
    await foreign.run(BEGIN)
    await foreign.run("INSERT INTO person VALUES ('Ann')")
    const result = await joined().enqueue('one')
    await joined().enqueueMany([['two'], ['three']])
    expect((await joined().getResult(result.id)).status).toBe('READY')
    expect(await texts()).toEqual([])
    await foreign.run('COMMIT')

    expect(await texts()).toEqual(['one', 'three', 'two'])
    expect(await people()).toBe(1)
    await runUntilEmpty()
    expect((await result.refresh()).returnValue).toBe('one')
  })

  it('a task vanishes with the transaction that rolls back', async () => {
    await foreign.run(BEGIN)
    await foreign.run("INSERT INTO person VALUES ('Ann')")
    await joined().enqueue('gone')
    // mysql2 with callbacks, as Knex has it.
    const { client } = foreign
    const withCallbacks = isMySqlFamily(database.name)
      ? (client as { connection?: object }).connection!
      : client
    const manager = managerOn(dataSource, withCallbacks)
    await note.using({ manager, uniqueKey: 'one' }).enqueue('gone')
    await foreign.run('ROLLBACK')

    expect(await texts()).toEqual([])
    expect(await people()).toBe(0)
  })

  it('many tasks that take several statements are all there or none, and the transaction goes on', async () => {
    const large: [string][] = Array.from({ length: 9 }, () => ['x'.repeat(1_000_000)])
    await foreign.run(BEGIN)
    await joined().enqueueMany(large)
    const manager = managerOn(dataSource, foreign.client)
    const attempt = manager.transaction(async (inner) => {
      await note.using({ manager: inner }).enqueue('gone')
      throw new Error('back')
    })
    await expect(attempt).rejects.toThrow('back')
    await note.using({ manager }).enqueue('kept')
    await foreign.run('COMMIT')

    expect((await texts()).map((text) => String(text).slice(0, 4))).toEqual([
      'kept',
      ...large.map(() => 'xxxx'),
    ])
  })

  it('an explicit one goes before an atomic around it', async () => {
    if (database.name === 'sqlite') return // two writers at a time
    await foreign.run(BEGIN)
    const attempt = atomic(dataSource, async () => {
      await joined().enqueue('kept')
      throw new Error('back')
    })
    await expect(attempt).rejects.toThrow('back')
    await foreign.run('COMMIT')

    expect(await texts()).toEqual(['kept'])
  })

  it('the transaction and the client stay with their owner', async () => {
    await foreign.run(BEGIN)
    const manager = managerOn(dataSource, foreign.client)
    await note.using({ manager }).enqueue('gone')
    const runner = manager.queryRunner!
    const refused = 'The transaction of a manager of managerOn belongs to the code that began it.'
    await expect(runner.commitTransaction()).rejects.toThrow(refused)
    await expect(runner.rollbackTransaction()).rejects.toThrow(refused)
    await runner.release()
    await expect(note.using({ manager }).enqueue('late')).rejects.toThrow(InvalidTaskError)
    await foreign.run('ROLLBACK')

    expect(await texts()).toEqual([])
  })

  it('the first enqueue of a process needs no other connection of a pool that is all in use', async () => {
    if (database.name === 'sqlite') return // no pool
    const small = new DataSource({
      ...dataSource.options,
      poolSize: 1,
      synchronize: false,
    } as DataSourceOptions)
    await small.initialize()
    configure(small)
    const runner = small.createQueryRunner()
    try {
      await runner.startTransaction()
      const client = (await runner.connect()) as object
      await note.using({ manager: managerOn(small, client) }).enqueueMany([['one'], ['two']])
      await runner.commitTransaction()
    } finally {
      await runner.release()
      await small.destroy()
      configure(dataSource)
    }
    expect(await texts()).toEqual(['one', 'two'])
  })
})
