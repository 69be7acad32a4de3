// Runs tiers of the checks: node scripts/test.mjs <tier>[,<tier> …]|all [arguments for jest …]
// The last line is `N passed, N failed`; a check counts like a test. Ends with 1 if anything failed.
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { openScratch } from '../spec/support/scratch.cjs'
import { build, TIERS, TOGETHER } from './tiers.mjs'

const ROOT = join(import.meta.dirname, '..')

/** Keeps what is said, to be printed later. */
class Told {
  text = ''

  write(text) {
    this.text += text
  }
}

const [wanted = 'fast', ...forJest] = process.argv.slice(2)
const chosen = wanted === 'all' ? Object.keys(TIERS) : wanted.split(',')
if (!chosen.every((name) => name in TIERS)) {
  console.error(`There is no tier "${wanted}"; there are ${Object.keys(TIERS).join(', ')}, all.`)
  process.exit(2)
}

introduce()
// One for all tiers: what one has packed and installed serves the others.
const closeScratch = openScratch()
const times = []
const results = await inSteps([[build]])
if (results[0].failed === 0) for (const names of inGroups(chosen)) await runTiers(names)
closeScratch()
conclude()

/** What runs one after another: a tier, or tiers side by side. */
function inGroups(names) {
  const groups = names.map((name) => TOGETHER.find((group) => group.includes(name)) ?? [name])
  return [...new Set(names.length > 1 ? groups : [names])].map((group) =>
    group.filter((name) => names.includes(name)),
  )
}

function introduce() {
  const shown = (name) => `${name === 'fast' ? 'npm test' : `test:${name}`} (${TIERS[name].takes})`
  const others = Object.keys(TIERS).filter((name) => !chosen.includes(name))
  const holds = chosen.map((name) => `${shown(name)}: ${TIERS[name].holds}`)
  console.log(`Runs ${holds.join('\n     ')}`)
  if (others.length > 0) console.log(`Not run: ${others.map(shown).join(', ')}; test:all runs all.`)
  console.log('What each needs: CONTRIBUTING.md\n')
}

async function runTiers(names) {
  const began = performance.now()
  const running = names.map((name, at) => {
    // Only the first is printed as it comes, so that lines do not mix.
    const told = at === 0 ? process.stdout : new Told()
    return { told, ended: inSteps(TIERS[name].steps, told) }
  })
  for (const { told, ended } of running) {
    results.push(...(await ended))
    if (told instanceof Told) process.stdout.write(told.text)
  }
  for (const name of names) results.push(...(await inSteps(quietStepsOf(name))))
  times.push(`${names.join(' with ')} ${seconds(performance.now() - began)}`)
}

/** Which specs are to run may be up to the caller: then they run together. */
function quietStepsOf(name) {
  return forJest.length > 0 ? [] : (TIERS[name].quietly ?? [])
}

function conclude() {
  const sum = (key) => results.reduce((total, result) => total + result[key], 0)
  const skipped = sum('skipped')
  const bad = results.filter(({ failed }) => failed > 0).map(({ name }) => name)
  console.log(`\nTook: ${times.join(', ') || 'no tier was run'}`)
  if (bad.length > 0) console.log(`FAILED: ${bad.join(', ')}`)
  console.log(
    `${sum('passed')} passed, ${sum('failed')} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`,
  )
  process.exitCode = bad.length > 0 ? 1 : 0
}

/** Runs the parts of each step side by side, and prints their output one after another. */
async function inSteps(steps, told = process.stdout) {
  const ended = []
  for (const step of steps) {
    const outputs = step.map((_, at) => (at === 0 ? told : new Told()))
    const running = step.map((part, at) => run(part, outputs[at]))
    for (const [at, each] of running.entries()) {
      const result = await each
      if (outputs[at] !== told) told.write(`\n${outputs[at].text}`)
      told.write(`${result.failed > 0 ? 'FAILED' : 'ok'}: ${result.name}, ${result.took}\n`)
      ended.push(result)
    }
  }
  return ended
}

async function run(part, told) {
  told.write(`== ${part.name}\n`)
  const began = performance.now()
  const child = spawn(process.execPath, argumentsOf(part), {
    cwd: ROOT,
    env: {
      ...process.env,
      ...(process.stdout.isTTY ? { FORCE_COLOR: '1' } : {}),
      ...part.env,
      ...(process.env.DB && part.env?.DB !== undefined ? { DB: process.env.DB } : {}),
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text) => {
      output += text
      told.write(text)
    })
  const status = await new Promise((resolve) => child.on('close', resolve))
  return {
    name: part.name,
    took: seconds(performance.now() - began),
    ...(part.isJest
      ? tallyOf(output, status)
      : { passed: +(status === 0), failed: +(status !== 0), skipped: 0 }),
  }
}

function argumentsOf({ args, isJest, only, except, projects }) {
  if (!isJest) return args
  return [
    ...args,
    ...(forJest.length > 0 ? [] : except).map((pattern) => `--testPathIgnorePatterns=${pattern}`),
    ...only,
    ...forJest,
    '--selectProjects',
    ...projects,
  ]
}

/** Reads the last line of the specs' reporter. */
function tallyOf(output, status) {
  const tallies = [...output.matchAll(/^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$/gm)]
  const [, passed = 0, failed = 0, skipped = 0] = (tallies.at(-1) ?? []).map(Number)
  // Jest that ended without a tally, or that fails with none to blame, is one failure all the same.
  const isUnexplained = status !== 0 && failed === 0
  return { passed, failed: isUnexplained ? 1 : failed, skipped }
}

function seconds(ms) {
  return `${Math.round(ms / 1000)} s`
}
