import { clock } from '../../clock'
import { recordOf } from '../../errors/error-record'
import type { Rescued, Store } from '../../store'
import { taskFacts } from '../../telemetry/facts'

/** The store, telling how long each answer took, and what was rescued. Where nobody listens it is the store itself. */
export function measured(store: Store, backend: string): Store {
  if (!taskFacts.isHeard) return store
  const timed = timing(backend)
  const { chores, heartbeat, pausedQueues, settle, settleWaiting } = store
  return {
    leaseSeconds: store.leaseSeconds,
    maxCrashes: store.maxCrashes,
    get exchangesAtOnce() {
      return store.exchangesAtOnce ?? 1
    },
    exchange: timed('exchange', store.exchange.bind(store)),
    renew: timed('renew', store.renew.bind(store)),
    report: timed('report', store.report.bind(store)),
    release: timed('release', store.release.bind(store)),
    rescue: timed('rescue', store.rescue.bind(store), (rescued) => tellRescued(backend, rescued)),
    prune: timed('prune', store.prune.bind(store)),
    close: () => store.close(),
    ...(chores && { chores }),
    ...(settle && { settle: timed('settle', settle.bind(store)) }),
    ...(settleWaiting && { settleWaiting: timed('settle', settleWaiting.bind(store)) }),
    ...(pausedQueues && { pausedQueues: timed('pauses', pausedQueues.bind(store)) }),
    ...(heartbeat && {
      heartbeat: {
        beat: timed('heartbeat', heartbeat.beat.bind(heartbeat)),
        leave: heartbeat.leave.bind(heartbeat),
      },
    }),
  }
}

/** Makes of a verb one that tells its time. It gives the very promise of the verb, so that nobody waits for a listener. */
function timing(backend: string) {
  return <Given extends unknown[], Answer>(
      verb: string,
      ask: (...given: Given) => Promise<Answer>,
      answered = (_answer: Answer): void => {},
    ) =>
    (...given: Given): Promise<Answer> => {
      const askedAt = clock.now()
      const tell = (error: string | null): void =>
        taskFacts.send({ what: 'asked', backend, verb, ms: clock.now() - askedAt, error })
      const answer = ask(...given)
      answer.then(
        (value) => {
          tell(null)
          answered(value)
        },
        (error: unknown) => tell(recordOf(error).exceptionClassPath),
      )
      return answer
    }
}

function tellRescued(backend: string, { released, failed }: Rescued): void {
  if (released.length + failed.length === 0) return
  taskFacts.send({
    what: 'rescued',
    backend,
    requeued: released.length,
    failed: failed.length,
  })
}
