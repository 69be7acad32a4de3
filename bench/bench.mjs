// How fast it is: `npm run bench -- --help`.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseOptions, usage } from './lib/options.mjs'
import { writeFigures } from './lib/figures.mjs'
import { bench, prepare } from './lib/prepare.mjs'

const options = optionsOrEnd(process.argv.slice(2))
if (options.help) end(usage, 0)
prepare()

// Only now are the packages there that these need.
const { run } = await import('./lib/run.mjs')
const { sweepOf } = await import('./measures/sweep.mjs')
const text = await run(options, ...(options.sweep === undefined ? [] : [[sweepOf(options.sweep)]]))
const file = options.out ?? (options.report && join(bench, options.report))
if (file !== undefined && !options.list) writeFileSync(file, text)
if (options.report && options.out === undefined && !options.list) writeFigures()
process.stdout.write(text)

function optionsOrEnd(args) {
  try {
    return parseOptions(args)
  } catch (error) {
    return end(`${error.message}\n\n${usage}`, 2)
  }
}

function end(words, code) {
  process.stdout.write(words)
  process.exit(code)
}
