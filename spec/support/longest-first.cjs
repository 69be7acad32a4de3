// Begins with the specs that take longest, since the last one to end would else run alone. Jest knows that only of specs that
// it has run before in the same folder; of others it takes the larger file for the longer run.
const { default: Sequencer } = require('@jest/test-sequencer')

/** Seconds on two cores, of specs that take 40 and more. They are estimates: only their order counts. */
const SECONDS = {
  'process/compilers': 170,
  'process/stranger': 150,
  'faults/flow-finishes': 120,
  'faults/flows': 110,
  'faults/crash': 90,
  'faults/processes': 90,
  'faults/servers': 80,
  'faults/innocents': 80,
  'process/schedules': 80,
  'faults/ten-thousand': 55,
  'faults/prune': 50,
  'faults/network': 48,
  'faults/stop': 42,
  'faults/stall': 42,
}

module.exports = class LongestFirst extends Sequencer {
  sort(tests) {
    const secondsOf = ({ path }) => SECONDS[/spec\/(.+)\.spec\.ts$/.exec(path)?.[1]] ?? 0
    return super.sort(tests).toSorted((one, other) => secondsOf(other) - secondsOf(one))
  }
}
