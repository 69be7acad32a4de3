// What the long runs run.
const { setTimeout: sleep } = require('node:timers/promises')
const { observed } = require('./patient')

observed('long.sleep', (_, ms) => sleep(ms))
