// The whole way once, in one process: orders are handed over, carried into the database, and run.
import { setTimeout as sleep } from 'node:timers/promises'
import { allBackends, DBTaskResult, runUntilEmpty } from 'typeorm-tasks'
import { carry, consume } from './consumer.js'
import { broker, dataSource } from './ormconfig.js'
import { welcome } from './tasks.js'

await dataSource.initialize()
const rows = dataSource.getRepository(DBTaskResult)
await rows.clear()

console.log('1. Orders go to RabbitMQ')
const toBroker = welcome.using({ backend: 'broker' })
const results = []
for (const name of ['Ada', 'Grace', 'Edsger'])
  results.push(await toBroker.enqueue(name).catch(endWithoutBroker))
console.log(`  ${results.length} orders are confirmed, ${await rows.count()} rows are there`)

console.log('2. What RabbitMQ has not, is refused')
for (const attempt of [
  () => results[0].refresh(),
  () => welcome.using({ backend: 'broker', priority: 1 }),
  () => welcome.using({ backend: 'broker', runAfter: new Date(Date.now() + 60_000) }),
  () => toBroker.using({ uniqueKey: 'ada' }).enqueue('Ada'),
])
  try {
    await attempt()
    console.log('  not refused')
  } catch (error) {
    console.log(`  ${error.name}: ${error.code}`)
  }

console.log('3. The consumer enqueues them into the database')
const messages = []
const consumer = consume(broker, (what, message) => messages.push(message))
while (messages.length < results.length) await sleep(50)
await consumer.close()
console.log(
  `  ${await rows.count()} rows are there, with the ids of the orders: ${await haveIds()}`,
)
console.log(`  one that comes again is ${await carry(messages[0])}`)

console.log('4. A worker runs them')
await runUntilEmpty()
for (const { id } of results) console.log(`  ${(await welcome.getResult(id)).returnValue}`)

await Promise.all(allBackends().map((backend) => backend.close()))
await dataSource.destroy()

function endWithoutBroker({ message }) {
  const { host } = new URL(broker.url) // without the password
  console.error(`not confirmed: ${message}`)
  console.error(`Is RabbitMQ at ${host}, with this user? Start it, or set RABBITMQ_URL.`)
  process.exit(1)
}

async function haveIds() {
  const found = await rows.find()
  return results.every(({ id }) => found.some((row) => row.id === id))
}
