// Hands orders over: `node send.js 100`. Prints the id of each that the broker has confirmed.
import { allBackends } from 'typeorm-tasks'
import { broker } from './ormconfig.js'
import { welcome } from './tasks.js'

const where = new URL(broker.url).host // without the password
const toBroker = welcome.using({ backend: 'broker' })
const count = Number(process.argv[2] ?? 1)
let confirmed = 0
for (let i = 0; i < count; i++) {
  const silence = setTimeout(() => console.error(`waiting for RabbitMQ at ${where}`), 1_000)
  try {
    console.log((await toBroker.enqueue(`user ${i}`)).id)
    confirmed++
  } catch (error) {
    console.error(`not confirmed: ${error.message}`)
    // Later it may only restart: then the next ones are for it.
    if (confirmed > 0) continue
    console.error(`Is RabbitMQ at ${where}, with this user? Start it, or set RABBITMQ_URL.`)
    process.exitCode = 1
    break
  } finally {
    clearTimeout(silence)
  }
}
await Promise.all(allBackends().map((backend) => backend.close()))
