/**
 * The queue beside a queue that holds its tasks of a priority above 0, and is asked first: BullMQ takes jobs without a priority
 * before all others, and has no negative ones. Tasks of priority 0 have none there, which is twice as fast.
 */
const URGENT = '+'

/** Names of keys. Those of BullMQ are `<prefix>:<queue>:…`; ours have no queue in its place, so that they never meet. */
export class Names {
  readonly prefix: string

  constructor(prefix: string) {
    this.prefix = prefix
  }

  /** The queues of BullMQ in which tasks of one of ours are, in the order in which they are asked. */
  queuesOf(queueName: string): readonly [urgent: string, usual: string] {
    return [queueName + URGENT, queueName]
  }

  /** The queue of BullMQ for a priority from -100 to 100. */
  queueFor(queueName: string, priority: number): string {
    return priority > 0 ? queueName + URGENT : queueName
  }

  /** What all keys of BullMQ begin with, before the name of their queue. */
  get beginning(): string {
    return `${this.prefix}:`
  }

  job(queue: string, id: string): string {
    return `${this.prefix}:${queue}:${id}`
  }

  /** `<prefix>::<what>`. */
  own(...what: string[]): string {
    return [this.prefix, '', ...what].join(':')
  }

  /** A set of `<id>:<queue of BullMQ>` of all jobs, in the order of their ids, which is that of time. */
  get ids(): string {
    return this.own('ids')
  }

  /** Where BullMQ looks for who holds a unique key, in place of a key for each of its queues. */
  get keys(): string {
    return this.own('keys')
  }

  /** Schedules, with the newest slot of each that was enqueued as its score, in milliseconds since 1970. */
  get slots(): string {
    return this.own('slots')
  }

  /** A hash of the queues that are paused, by our names, with `{ at, until, reason }` of each as JSON. */
  get pauses(): string {
    return this.own('pauses')
  }

  /** The channel on which workers hear of what was written. */
  get wakeups(): string {
    return this.own('wakeups')
  }
}

/** The priority of BullMQ for one of ours: 1 comes before 2. 0: none. */
export function bullPriority(priority: number): number {
  return priority > 0 ? 101 - priority : -priority
}

/** The reverse of `bullPriority`, of a job in a queue of BullMQ. */
export function priorityOf(queue: string, bullPriority: number): number {
  if (bullPriority === 0) return 0
  return isUrgent(queue) ? 101 - bullPriority : -bullPriority
}

/** Our name of a queue of BullMQ. */
export function queueNameOf(queue: string): string {
  return isUrgent(queue) ? queue.slice(0, -URGENT.length) : queue
}

function isUrgent(queue: string): boolean {
  return queue.endsWith(URGENT)
}
