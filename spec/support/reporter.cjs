// After jest's own summary: which databases, which Redis and which TypeORM ran, and the tally as the very last line.
const { readFileSync } = require('node:fs')
const path = require('node:path')

module.exports = class Reporter {
  constructor(globalConfig) {
    this.globalConfig = globalConfig
  }

  // Jest puts its summary behind every reporter, so only the end of the process is late enough to be last.
  async onRunComplete(_contexts, results) {
    const { json, watch, watchAll } = this.globalConfig
    const output = json ? process.stderr : process.stdout
    const lines = await linesAbout(results)
    const print = () => output.write(`\n${lines.join('\n')}\n`)
    if (watch || watchAll) print()
    else process.once('exit', print)
  }
}

async function linesAbout(results) {
  const databases = (await globalThis.specDesk?.ran()) ?? []
  return [
    `Databases: ${databases.join(', ') || 'none was asked for'}`,
    ...missing().map((name) => `           ${name} is MISSING, its specs were skipped`),
    ...aboutRedis(results),
    `TypeORM:   ${versions(results).join(', ') || 'none'}`,
    tally(results),
  ]
}

function missing() {
  return Object.keys(JSON.parse(process.env.SPEC_DESK ?? '{}').missing ?? {})
}

/** A line about Redis, where specs of its project ran or should have. */
function aboutRedis({ testResults }) {
  if (!testResults.some((file) => file.displayName?.name === 'redis')) return []
  const { version } = globalThis.specRedis ?? {}
  return [`Redis:     ${version ?? 'is MISSING, its specs were skipped'}`]
}

function versions(results) {
  const names = results.testResults.map((file) =>
    file.displayName?.name.endsWith('-0.3') ? 'typeorm-0.3' : 'typeorm',
  )
  return [...new Set(names)].toSorted().map(versionOf)
}

function versionOf(name) {
  return JSON.parse(
    readFileSync(path.join(path.dirname(require.resolve(name)), 'package.json'), 'utf8'),
  ).version
}

// A spec file that does not even load has no tests to count; it is one failure all the same.
function tally({
  numPassedTests,
  numFailedTests,
  numPendingTests,
  numTodoTests,
  numRuntimeErrorTestSuites,
}) {
  const skipped = numPendingTests + numTodoTests
  const parts = [`${numPassedTests} passed`, `${numFailedTests + numRuntimeErrorTestSuites} failed`]
  return [...parts, ...(skipped > 0 ? [`${skipped} skipped`] : [])].join(', ')
}
