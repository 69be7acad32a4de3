// Begins with the specs that take longest, since the last one to end would else run alone. Jest knows that only of specs that
// it has run before in the same folder; of others it takes the larger file for the longer run.
const { default: Sequencer } = require('@jest/test-sequencer')

/** Seconds that the longest specs took on two cores; only their order counts. */
const SECONDS = {
  'process/stranger': 169,
  'faults/soak': 162,
  'process/init-apps': 110,
  'process/nestjs': 110,
  'faults/errors': 101,
  'faults/crash': 94,
  'faults/browser': 80,
  'process/next': 127,
  'process/commands': 96,
  'faults/flow-finishes': 89,
  'process/first-minutes': 86,
  'process/compilers': 83,
  'faults/failover': 81,
  'process/schedules': 73,
  'process/child-messages': 71,
  'process/processes': 62,
  'process/results': 61,
  'database/renewals': 56,
  'faults/servers': 56,
  'database/pause': 54,
  'faults/ten-thousand': 53,
  'database/transactional': 52,
  'faults/prune': 49,
  'faults/network': 47,
  'faults/processes': 43,
  'browser/tutorial': 43,
  'faults/stop': 42,
  'faults/stall': 42,
  'process/nest': 41,
  'database/set-up-trouble': 40,
  'database/check': 38,
  'contract/portable': 37,
  'browser/dashboard-at-work': 32,
}

module.exports = class LongestFirst extends Sequencer {
  sort(tests) {
    const secondsOf = ({ path }) => SECONDS[/spec\/(.+)\.spec\.ts$/.exec(path)?.[1]] ?? 0
    return super.sort(tests).toSorted((one, other) => secondsOf(other) - secondsOf(one))
  }
}
