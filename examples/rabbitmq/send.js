// Hands orders over: `node send.js 100`. Prints the id of each that the broker has confirmed.
import { allBackends } from 'typeorm-tasks'
import './ormconfig.js'
import { welcome } from './tasks.js'

const toBroker = welcome.using({ backend: 'broker' })
const count = Number(process.argv[2] ?? 1)
for (let i = 0; i < count; i++) {
  try {
    console.log((await toBroker.enqueue(`user ${i}`)).id)
  } catch (error) {
    console.error(`not confirmed: ${error.message}`)
  }
}
await Promise.all(allBackends().map((backend) => backend.close()))
