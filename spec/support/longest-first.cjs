// Begins with the specs that take longest, since the last one to end would else run alone. Jest knows that only of specs that
// it has run before in the same folder; of others it takes the larger file for the longer run.
const { default: Sequencer } = require('@jest/test-sequencer')

/** Seconds that specs of 40 and more took on two cores; only their order counts. */
const SECONDS = {
  'process/compilers': 166,
  'process/stranger': 147,
  'faults/flow-finishes': 89,
  'process/first-minutes': 79,
  'process/commands': 70,
  'process/schedules': 69,
  'faults/ten-thousand': 53,
  'faults/prune': 49,
  'faults/network': 47,
  'faults/stop': 42,
  'faults/stall': 42,
  'process/nest': 41,
}

module.exports = class LongestFirst extends Sequencer {
  sort(tests) {
    const secondsOf = ({ path }) => SECONDS[/spec\/(.+)\.spec\.ts$/.exec(path)?.[1]] ?? 0
    return super.sort(tests).toSorted((one, other) => secondsOf(other) - secondsOf(one))
  }
}
