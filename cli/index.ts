#!/usr/bin/env node
import { keepCompiledCode } from './compile-cache'
import { otherRuntime } from './other-runtime'
import type * as program from './program'

const other = otherRuntime()
if (other === undefined) {
  keepCompiledCode()
  // Required after the call above, because code loaded earlier is not cached.
  void (require('./program') as typeof program).run(process.argv)
} else {
  // It hooks into the loader of Node, which others do not have.
  process.stderr.write(
    `error: The command line of typeorm-tasks needs Node, and ${other} runs it. Start it with Node: node node_modules/typeorm-tasks/dist/cli/index.js …, or npx tasks … (with Bun, without --bun).\n`,
  )
  process.exitCode = 1
}
