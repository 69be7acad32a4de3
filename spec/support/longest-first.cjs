// Begins with the specs that take longest, since the last one to end would else run alone. Jest knows that only of specs that
// it has run before in the same folder; of others it takes the larger file for the longer run.
const { default: Sequencer } = require('@jest/test-sequencer')

/** Seconds that the longest specs took on two cores; only their order counts. */
const SECONDS = {
  'package/init-apps': 110,
  'package/next': 105,
  'package/nestjs': 100,
  'package/stranger': 100,
  'package/first-minutes': 98,
  'faults/crash': 96,
  'process/child-messages': 92,
  'django/both-ways': 95,
  'package/compilers': 88,
  'django/flows': 86,
  'process/schedules': 85,
  'faults/errors': 82,
  'faults/health': 80,
  'django/exactly-once': 80,
  'browser/dashboard-at-work': 75,
  'faults/failover': 74,
  'browser/tutorial': 72,
  'faults/isolate': 70,
  'faults/flows': 69,
  'faults/soak': 66,
  'faults/health-blocked': 65,
  'process/processes': 59,
  'faults/browser': 58,
  'database/pause': 57,
  'database/renewals': 57,
  'django/traces': 55,
  'process/results': 54,
  'faults/processes': 53,
  'database/transactional': 52,
  'process/express-sqlite': 51,
  'faults/ten-thousand': 50,
  'faults/servers': 50,
  'process/commands': 35,
  'database/set-up-trouble': 45,
  'faults/network': 44,
  'faults/stall': 43,
  'faults/prune': 43,
  'browser/dashboard-lists': 39,
  'browser/dashboard-problems': 38,
  'process/init': 38,
  'package/node-itself': 37,
  'database/testing': 37,
  'database/check': 34,
  'process/health': 33,
  'database/policies': 32,
  'database/dashboard-events': 32,
  'package/layouts': 31,
  'contract/portable': 31,
  'contract/store': 30,
  'faults/locks': 30,
  'process/nest': 30,
  'faults/limits': 29,
  'faults/stop': 29,
  'faults/rows': 29,
  'package/bundles': 28,
  'database/innocents-store': 28,
  'faults/flow-finishes': 27,
  'process/typescript': 27,
  'faults/disk': 26,
}

module.exports = class LongestFirst extends Sequencer {
  sort(tests) {
    const secondsOf = ({ path }) => SECONDS[/spec\/(.+)\.spec\.ts$/.exec(path)?.[1]] ?? 0
    return super.sort(tests).toSorted((one, other) => secondsOf(other) - secondsOf(one))
  }
}
