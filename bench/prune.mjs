// What a prune of 200,000 rows does to the claims beside it: `node bench/prune.mjs [--quick] [--database …]`.
import { setTimeout as sleep } from 'node:timers/promises'
import { quantile } from './lib/numbers.mjs'
import { parseOptions } from './lib/options.mjs'
import { prepare } from './lib/prepare.mjs'
import { Servers } from './servers/index.mjs'

const { quick, databases } = parseOptions(process.argv.slice(2))
const rows = quick ? 20_000 : 200_000
prepare()
const { open } = await import('./contenders/typeorm-tasks.mjs')
const servers = new Servers()
const shown = (times) =>
  `p50 ${quantile(times, 0.5).toFixed(1)}, p99 ${quantile(times, 0.99).toFixed(1)}, longest ${Math.max(...times).toFixed(1)} ms (${times.length} claims)`

try {
  for (const kind of databases.filter((name) => name !== 'sqlite'))
    await servers.withDatabase(kind, measure)
} finally {
  await servers.stop()
}

async function measure(address) {
  const place = await open(address, {})
  await place.install()
  // Days ago, by their ids and their instants; then as many of today, which stay.
  await place.grow('finished', rows)
  await place.age(20)
  await place.grow('finished', rows)
  await place.grow('ready', 50_000)

  const alone = await claimsUntil(place, sleep(5_000))
  const started = performance.now()
  let deleted = 0
  const pruning = place.prune().then((count) => (deleted = count))
  const beside = await claimsUntil(place, pruning)
  const took = (performance.now() - started) / 1_000

  console.log(
    `${address.type}: ${deleted} rows pruned beside ${rows} that stay, in ${took.toFixed(1)} s (${Math.round(deleted / took)} rows/s)`,
  )
  console.log(`  claims alone:           ${shown(alone)}`)
  console.log(`  claims beside a prune:  ${shown(beside)}`)
  const again = performance.now()
  await place.prune()
  console.log(`  a prune that finds nothing: ${(performance.now() - again).toFixed(0)} ms`)
  await place.close()
}

/** Claims ten rows every ten milliseconds. */
async function claimsUntil(place, end) {
  let isOver = false
  end.finally(() => (isOver = true))
  const took = []
  while (!isOver) {
    const asked = performance.now()
    await place.claim(10)
    took.push(performance.now() - asked)
    await sleep(10)
  }
  return took
}
