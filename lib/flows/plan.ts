import { InvalidTaskError } from '../errors/errors'
import type { FlowPlan, PlannedRow, PlannedSet, Shape, When } from '../row/flow-parts'
import type { Order } from '../order'
import type { Leaf, Stage, Steps } from './steps'

/** The most members of a set, which one transaction writes; their keys have room for more. */
export const MAX_MEMBERS = 100_000
/** Each member names all rows that wait for its set. */
const MAX_LINKS = 1_000_000

/** With what checks the order before it is written. */
export interface CheckedRow extends PlannedRow<Order> {
  readonly check: Leaf['check']
}

/** The rows that begin a part of a flow and those that end it, and what it gives. */
interface Part {
  readonly heads: readonly Row[]
  readonly tails: readonly Row[]
  readonly isGroup: boolean
  readonly shape: Shape
}

interface Row extends Pick<
  Mutable<PlannedRow<Order>>,
  'order' | 'member' | 'awaits' | 'isCallback'
> {
  readonly index: number
  readonly leaf: Leaf
  given: object | null
}

type Mutable<T> = { -readonly [Name in keyof T]: T[Name] }

export interface CheckedPlan extends FlowPlan<Order> {
  readonly rows: readonly CheckedRow[]
}

/** @throws InvalidTaskError for a flow that cannot be written. */
export function planOf(flow: Steps): CheckedPlan {
  const planning = new Planning()
  const { tails } = planning.flow(flow)
  const rows = planning.rows.map(plannedRow)
  if (rows.length === 0)
    throw new InvalidTaskError(
      'The flow has no orders, and nothing comes after them.',
      'Leave it out.',
    )
  return { rows, sets: planning.sets, last: tails.map(({ index }) => index) }
}

class Planning {
  readonly rows: Row[] = []
  readonly sets: PlannedSet[] = []

  flow({ stages, handlers }: Steps): Part {
    let whole: Part | undefined
    for (const stage of stages) {
      const part = this.#stage(stage)
      if (whole) this.#connect(whole, { successful: [{ part, given: stage.given }] })
      whole = whole ? { ...part, heads: whole.heads } : part
    }
    const part = whole ?? { heads: [], tails: [], isGroup: true, shape: [] }
    if (handlers.length === 0) return part
    const isEmpty = part.tails.length === 0
    const followers = (when: 'failed' | 'finished'): Follower[] =>
      handlers
        .filter((handler) => handler.when === when && !(isEmpty && when === 'failed'))
        .map(({ flow, given }) => ({ part: this.#callback(flow), given }))
    this.#connect(part, { failed: followers('failed'), finished: followers('finished') })
    return part
  }

  /** A flow within another one has no handlers: its last rows are members of the set outside. */
  #inner(flow: Steps): Part {
    if (flow.handlers.length > 0)
      throw new InvalidTaskError(
        'A flow within a group or a callback has an onFailure or onFinished of its own.',
        'Put it on the whole flow: what fails within fails the whole.',
      )
    return this.flow(flow)
  }

  #callback(flow: Steps): Part {
    const first = this.rows.length
    const part = this.#inner(flow)
    for (const row of this.rows.slice(first)) row.isCallback = true
    return part
  }

  #stage({ members, isGroup }: Stage): Part {
    const parts = members.map((member) =>
      'stages' in member ? this.#inner(member) : this.#leaf(member),
    )
    const shape = parts.map((part) => (part.isGroup ? part.shape : 1))
    const tails = parts.flatMap((part) => part.tails)
    assertMembers(tails.length)
    return {
      heads: parts.flatMap(({ heads }) => heads),
      tails,
      isGroup,
      shape,
    }
  }

  #leaf(leaf: Leaf): Part {
    const { order } = leaf
    const index = this.rows.length
    const row: Row = {
      index,
      leaf,
      order,
      given: null,
      member: null,
      awaits: null,
      isCallback: false,
    }
    this.rows.push(row)
    return { heads: [row], tails: [row], isGroup: false, shape: [1] }
  }

  #connect(before: Part, after: { readonly [Name in When]?: readonly Follower[] }): void {
    const set = this.sets.length
    const planned: Record<When, number[]> = { successful: [], failed: [], finished: [] }
    for (const when of ['successful', 'failed', 'finished'] as const)
      for (const { part, given } of after[when] ?? []) {
        if (part.heads.length === 0) throw emptyStep()
        for (const head of part.heads) {
          planned[when].push(head.index)
          head.given = given ?? null
          wait(head, before, set, when)
        }
      }
    assertLinks(before.tails.length, Object.values(planned).flat().length)
    for (const [ordinal, row] of before.tails.entries()) row.member = { set, ordinal }
    this.sets.push({ members: before.tails.map(({ index }) => index), ...planned })
  }
}

interface Follower {
  readonly part: Part
  readonly given: object | undefined
}

function wait(head: Row, { tails, isGroup, shape }: Part, set: number, when: When): void {
  // Nothing to wait for: its place is filled at once, and it may run.
  if (tails.length === 0) {
    head.order = head.leaf.filled([])
    return
  }
  const gives = {
    successful: isGroup ? 'values' : 'value',
    failed: 'failure',
    finished: 'outcomes',
  } as const
  const isNested = shape.some((each) => typeof each !== 'number')
  head.awaits = { set, when, give: gives[when], shape: isNested ? shape : null }
}

function plannedRow({ leaf, order, given, member, awaits, isCallback }: Row): CheckedRow {
  if (leaf.fills.some((fill) => fill.placeholder !== given))
    throw new InvalidTaskError(
      `Task "${order.task.name}" was given a value of another step of the flow, or of another flow.`,
      'A step gets the value of the one right before it: hand it on through the task between, or enqueue what is known before as an argument.',
    )
  const fill = awaits ? leaf.fills.map(({ index }) => index) : []
  return { order, fill, member, awaits, isCallback, check: leaf.check }
}

/** @throws InvalidTaskError for a group that is too large. */
export function assertMembers(members: number): void {
  if (members > MAX_MEMBERS)
    throw new InvalidTaskError(
      `A group has ${members} orders, and may have ${MAX_MEMBERS}.`,
      'Give more work to each, or enqueue groups one after the other.',
    )
}

function assertLinks(members: number, followers: number): void {
  if (members * followers > MAX_LINKS)
    throw new InvalidTaskError(
      `A step of ${followers} orders follows one of ${members}, and each of these would name each of those.`,
      'Put one task between them: .next((values) => yourTask.order(values)).next((value) => group(…)).',
    )
}

function emptyStep(): InvalidTaskError {
  return new InvalidTaskError(
    'A step of the flow is a group without orders, and nothing would be left to wait for.',
    'Only the first step of a flow may be empty.',
  )
}
