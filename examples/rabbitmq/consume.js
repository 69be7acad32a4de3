// Runs beside the workers: `node consume.js`, ended by Ctrl+C or SIGTERM.
import { consume } from './consumer.js'
import { broker, dataSource } from './ormconfig.js'

await dataSource.initialize()
const consumer = consume(broker, (what, { messageId }) => console.log(`${what} ${messageId}`))
await new Promise((done) => {
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, done)
})
await consumer.close()
await dataSource.destroy()
