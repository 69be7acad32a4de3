const { task } = require('typeorm-tasks')

exports.apart = task('bundle.apart', () => process.pid, { isolate: true })
