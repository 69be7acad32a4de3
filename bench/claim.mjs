// One claim on a table with 1,000,000 finished rows, 100,000 ready and 100,000 for tomorrow: `node bench/claim.mjs [--quick] [--database …]`.
import { parseOptions } from './lib/options.mjs'
import { prepare } from './lib/prepare.mjs'

const options = parseOptions(process.argv.slice(2))
prepare()

const { run } = await import('./lib/run.mjs')
const { claim } = await import('./measures/claim.mjs')
process.stdout.write(await run({ ...options, rounds: 1 }, [claim]))
