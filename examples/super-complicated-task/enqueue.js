// What a web server does in a request: enqueue the task and answer at once.
import { dataSource } from './ormconfig.js'
import { superComplicatedTask } from './tasks.js'

await dataSource.initialize()
const result = await superComplicatedTask.enqueue('M31')
console.log(`enqueued ${result.id}, status ${result.status}`)
await dataSource.destroy()
