import { type LiveStage, MOVES, type Stage } from './stages'

let placeOf: (member: Member<string>) => number
let setPlace: (member: Member<string>, set: { readonly name: string } | null, at: number) => void

/** Something that is in at most one set at a time. Only the sets of this file change in which one, and where. */
export abstract class Member<Name extends string> {
  #set: { readonly name: string } | null = null
  #at = -1

  static {
    placeOf = (member) => member.#at
    setPlace = (member, set, at) => {
      member.#set = set
      member.#at = at
    }
  }

  /** The name of the set it is in; null: in none. */
  get setName(): Name | null {
    return this.#set === null ? null : (this.#set.name as Name)
  }
}

/**
 * A set in no order: the last member takes the place of one that is deleted. Not a `Set`, which makes a new table now
 * and then; the old table, once it has grown old itself, keeps everything that was in it until the next full garbage
 * collection (measured: a third of what short tasks leave behind).
 */
export class IndexedSet<Name extends string, T extends Member<Name>> {
  readonly name: Name
  readonly #members: T[] = []

  constructor(name: Name) {
    this.name = name
  }

  get size(): number {
    return this.#members.length
  }

  /** A copy: the members as of now. In the order of `add`, as long as none was deleted. */
  all(): T[] {
    return [...this.#members]
  }

  /** The member must be in no set. */
  add(member: T): void {
    setPlace(member, this, this.#members.push(member) - 1)
  }

  /** The member must be in this set. */
  delete(member: T): void {
    const last = this.#members.pop()
    const at = placeOf(member)
    if (last !== undefined && last !== member) {
      this.#members[at] = last
      setPlace(last, this, at)
    }
    setPlace(member, null, -1)
  }
}

/** So many deleted places at the start of a queue are kept before they are cut off. */
const CUT_AFTER = 256

/** A set in the order of `add`. A deleted member leaves a gap, so deleting costs the same at every place. */
export class IndexedQueue<Name extends string, T extends Member<Name>> {
  readonly name: Name
  #places: (T | undefined)[] = []
  /** How many places were cut off at the start: a member keeps its number. */
  #cut = 0
  /** The index in `#places` before which there are only gaps. */
  #head = 0
  #size = 0

  constructor(name: Name) {
    this.name = name
  }

  get size(): number {
    return this.#size
  }

  /** The member that was added first. */
  get first(): T | undefined {
    if (this.#size === 0) return undefined
    while (this.#places[this.#head] === undefined) this.#head++
    return this.#places[this.#head]
  }

  /** A copy: the members as of now, in order. */
  all(): T[] {
    return this.#places.filter((member) => member !== undefined)
  }

  /** The member must be in no set. */
  add(member: T): void {
    setPlace(member, this, this.#cut + this.#places.push(member) - 1)
    this.#size++
  }

  /** The member must be in this set. */
  delete(member: T): void {
    this.#places[placeOf(member) - this.#cut] = undefined
    setPlace(member, null, -1)
    this.#size--
    if (this.#size === 0) this.#cutOff(this.#places.length)
    else if (this.#head >= CUT_AFTER && this.#head * 2 >= this.#places.length)
      this.#cutOff(this.#head)
  }

  #cutOff(count: number): void {
    this.#places = count === this.#places.length ? [] : this.#places.slice(count)
    this.#cut += count
    this.#head = 0
  }
}

/** What has a stage, and a name for errors. */
interface StagedTask extends Member<LiveStage> {
  readonly stage: Stage
  readonly name: string
}

/** The tasks of a pool by their stages. A task is in one list at a time. */
export class StageLists<Task extends StagedTask> {
  readonly waiting = new IndexedQueue<LiveStage, Task>('waiting')
  readonly running = new IndexedSet<LiveStage, Task>('running')
  readonly committing = new IndexedSet<LiveStage, Task>('committing')
  readonly ended = new IndexedSet<LiveStage, Task>('ended')
  readonly sent = new IndexedSet<LiveStage, Task>('sent')
  readonly deferred = new IndexedSet<LiveStage, Task>('deferred')
  readonly doubted = new IndexedSet<LiveStage, Task>('doubted')

  /** How many run now. */
  get active(): number {
    return this.running.size + this.committing.size
  }

  /** How many there are. */
  get size(): number {
    const handedIn = this.sent.size + this.deferred.size + this.doubted.size
    return this.waiting.size + this.active + this.ended.size + handedIn
  }

  all(): Task[] {
    const { waiting, running, committing, ended, sent, deferred, doubted } = this
    return [waiting, running, committing, ended, sent, deferred, doubted].flatMap((list) =>
      list.all(),
    )
  }

  /** @throws Error unless the table of moves allows it. */
  move(task: Task, stage: Stage): void {
    const from = task.stage
    if (from === 'gone' || !MOVES[from].includes(stage))
      throw new Error(`${task.name} cannot move from ${from} to ${stage}.`)
    this[from].delete(task)
    if (stage !== 'gone') this[stage].add(task)
  }
}
