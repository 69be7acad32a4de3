import { EntitySchema, type DataSource } from 'typeorm'
import { databases, describeEachDatabase, type SpecDatabase } from '../support/databases'

const note = new EntitySchema<{ id: number; text: string }>({
  name: 'note',
  columns: { id: { type: Number, primary: true, generated: true }, text: { type: String } },
})

describeEachDatabase((database) => {
  it('gives a database that is empty', async () => {
    const dataSource = await database.connect()

    expect(await tablesOf(dataSource, database)).toEqual([])
  })

  it('reads back a row that was written', async () => {
    const notes = await notesIn(database)

    await notes.insert({ text: 'naïve 日本 🎈' })

    expect(await notes.find()).toEqual([{ id: 1, text: 'naïve 日本 🎈' }])
  })

  it('keeps two databases apart', async () => {
    const [one, other] = await Promise.all([notesIn(database), notesIn(database)])

    await one.insert({ text: 'only here' })

    expect(await one.count()).toBe(1)
    expect(await other.count()).toBe(0)
  })
})

const mariadb = databases().find(({ name }) => name === 'mariadb')
const onMariaDb = mariadb === undefined ? it.skip : it

onMariaDb('speaks to MariaDB under the name mysql, too', async () => {
  const dataSource = await mariadb!.connect({}, { type: 'mysql' })

  expect(dataSource.options.type).toBe('mysql')
  expect(await dataSource.query('SELECT 1 AS one')).toEqual([{ one: 1 }])
})

async function notesIn(database: SpecDatabase) {
  const dataSource = await database.connect({ entities: [note], synchronize: true })
  return dataSource.getRepository(note)
}

async function tablesOf(dataSource: DataSource, { name }: SpecDatabase): Promise<unknown[]> {
  if (name === 'sqlite') return await dataSource.query('SELECT name FROM sqlite_master')
  return await dataSource.query(
    `SELECT table_name FROM information_schema.tables WHERE table_schema = ${name === 'postgres' ? "'public'" : 'DATABASE()'}`,
  )
}
