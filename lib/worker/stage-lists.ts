import type { ClaimedTask } from './claimed-task'
import { IndexedQueue, IndexedSet } from './indexed-set'
import { type LiveStage, MOVES, type Stage } from './stages'

/** The tasks of a pool by their stages. A task is in one list at a time. */
export class StageLists {
  readonly waiting = new IndexedQueue<LiveStage, ClaimedTask>('waiting')
  readonly running = new IndexedSet<LiveStage, ClaimedTask>('running')
  readonly committing = new IndexedSet<LiveStage, ClaimedTask>('committing')
  readonly ended = new IndexedSet<LiveStage, ClaimedTask>('ended')
  readonly sent = new IndexedSet<LiveStage, ClaimedTask>('sent')
  readonly deferred = new IndexedSet<LiveStage, ClaimedTask>('deferred')
  readonly doubted = new IndexedSet<LiveStage, ClaimedTask>('doubted')

  /** How many run now. */
  get active(): number {
    return this.running.size + this.committing.size
  }

  /** How many there are. */
  get size(): number {
    const handedIn = this.sent.size + this.deferred.size + this.doubted.size
    return this.waiting.size + this.active + this.ended.size + handedIn
  }

  all(): ClaimedTask[] {
    const { waiting, running, committing, ended, sent, deferred, doubted } = this
    return [waiting, running, committing, ended, sent, deferred, doubted].flatMap((list) =>
      list.all(),
    )
  }

  /** @throws Error unless the table of moves allows it. */
  move(task: ClaimedTask, stage: Stage): void {
    const from = task.stage
    if (from === 'gone' || !MOVES[from].includes(stage))
      throw new Error(`${task.name} cannot move from ${from} to ${stage}.`)
    this[from].delete(task)
    if (stage !== 'gone') this[stage].add(task)
  }
}
