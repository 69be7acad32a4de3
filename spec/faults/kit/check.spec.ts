import { check } from './check'
import type { Allowed, Change, FinalRow, History, RowState, TaskEvent } from './history'

const ID = 'a'
const READY: RowState = {
  status: 'READY',
  claims: 0,
  leaseUntil: null,
  attempts: 0,
  errors: [],
  error: '',
}
const FIRST: RowState = {
  status: 'RUNNING',
  claims: 1,
  leaseUntil: 4_000,
  attempts: 1,
  errors: [],
  error: '',
}
const AGAIN: RowState = { ...READY, claims: 1, attempts: 1, errors: ['typeorm_tasks.WorkerLost'] }
const SECOND: RowState = { ...AGAIN, status: 'RUNNING', claims: 2, attempts: 2, leaseUntil: 8_000 }
const DONE: RowState = { ...SECOND, status: 'SUCCESSFUL', leaseUntil: null }

/** A worker is lost, another one takes over and finishes. */
const takeover: [number, RowState | null, RowState][] = [
  [500, null, READY],
  [1_000, READY, FIRST],
  [4_100, FIRST, AGAIN],
  [4_200, AGAIN, SECOND],
  [6_000, SECOND, DONE],
]

describe('a history with a takeover in it', () => {
  it('is sound', () => {
    expect(check(history(), [row()])).toEqual([])
  })

  const bad: [string, Partial<History>, Partial<FinalRow>, string, Allowed?][] = [
    ['a row that vanished', { enqueued: [ID, 'b'] }, {}, 'I1: b was enqueued and is gone'],
    [
      'a row of a transaction that was rolled back',
      { enqueued: [], undone: [ID] },
      {},
      'I1: a was rolled back and is there',
    ],
    ['a row that nobody enqueued', { enqueued: [] }, {}, 'I1: a is there and nobody enqueued it'],
    [
      'a row that a task enqueued and that vanished',
      { events: [start(1), start(2), { ...start(2), event: 'enqueued', note: 'c' }] },
      {},
      'I1: c was enqueued and is gone',
    ],
    [
      'a second end',
      {
        changes: changes([
          ...takeover,
          [6_100, DONE, DONE],
          [6_200, { ...DONE, status: 'RUNNING' }, { ...DONE, status: 'FAILED' }],
        ]),
      },
      { status: 'FAILED' },
      'I2: a ended more than once',
    ],
    [
      'a result of the first run',
      {},
      { returnValue: { claim: 1 } },
      'I2: a holds what claim 1 came to, though claim 2 held the row',
    ],
    [
      'an error of the first run',
      {
        changes: changes([...takeover.slice(0, 4), [6_000, SECOND, { ...DONE, status: 'FAILED' }]]),
      },
      { status: 'FAILED', error: 'Error', traceback: 'Error: claim 1\n' },
      'I2: a holds what claim 1 came to, though claim 2 held the row',
    ],
    [
      'a takeover within the lease',
      {
        changes: changes(takeover.map(([at, ...states]) => [at === 4_100 ? 3_900 : at, ...states])),
      },
      {},
      'I3: a was taken over 100 ms before its lease ended',
    ],
    [
      "a takeover of a row of Django's",
      {
        changes: changes(
          takeover.map(([at, before, after]) => [
            at,
            before === FIRST ? { ...FIRST, leaseUntil: null } : before,
            after,
          ]),
        ),
      },
      {},
      'I3: a was taken over, though nobody of ours held it',
    ],
    [
      'a row claimed while it ran',
      { changes: changes([...takeover.slice(0, 2), [4_200, FIRST, SECOND], takeover[4]!]) },
      {},
      'I3: a went from claim 1 to 2 while it ran',
    ],
    [
      'two runs of one claim',
      { events: [start(1), start(2), start(2)] },
      {},
      'I3: a claim 2 started twice',
    ],
    [
      'a ledger with one claim twice',
      {
        ledger: [
          { id: ID, claim: 1 },
          { id: ID, claim: 1 },
        ],
      },
      {},
      'I3: a claim 1 is in the ledger twice',
    ],
    [
      'a counter that was set back',
      {},
      { claims: 1, returnValue: { claim: 1 } },
      'I4: a says 1 claims, and was claimed 2 times',
    ],
    [
      'an attempt that is not counted',
      {},
      { attempts: 1 },
      'I4: a counts 1 attempts, of 2 claims with 0 given back',
    ],
    [
      'a claim whose task never started',
      { events: [start(2)] },
      {},
      'I4: a was claimed (1) and never started',
    ],
    [
      'a run that nobody claimed',
      { events: [start(1), start(2), start(3)] },
      {},
      'I4: a ran under claim 3, which nobody made',
    ],
    [
      'a row that came back after its end',
      { changes: changes([...takeover, [7_000, DONE, { ...DONE, status: 'READY' }]]) },
      { status: 'READY' },
      'I5: a went SUCCESSFUL → READY, its claims by 0',
    ],
    [
      'a row that was written after its end',
      { changes: changes([...takeover, [7_000, DONE, DONE]]) },
      {},
      'I5: a went SUCCESSFUL → SUCCESSFUL, its claims by 0',
    ],
    [
      'a row that ended without having run',
      {
        changes: changes([
          [500, null, READY],
          [900, READY, { ...DONE, claims: 0, attempts: 0 }],
        ]),
        events: [],
      },
      { claims: 0, attempts: 0, returnValue: null },
      'I5: a went READY → SUCCESSFUL, its claims by 0',
    ],
    [
      'a row that was deleted and is there',
      { changes: [...changes(takeover), { seq: 9, id: ID, at: 9_000, before: DONE, after: null }] },
      {},
      'I5: a was deleted',
    ],
    [
      'a row whose last change nobody saw',
      {},
      { status: 'FAILED' },
      'I5: a is FAILED and was last seen SUCCESSFUL',
    ],
    [
      'a retry by hand, not foreseen',
      {
        changes: changes([
          ...takeover.slice(0, 4),
          [6_000, SECOND, { ...DONE, status: 'FAILED' }],
          [7_000, { ...DONE, status: 'FAILED' }, AGAIN],
        ]),
      },
      { ...AGAIN, claims: 2, attempts: 2, finishedAt: null },
      'I5: a went FAILED → READY, its claims by -1',
    ],
    [
      'an end before the start',
      {},
      { finishedAt: 100 },
      'I6: a was enqueued, started and finished out of order: 500, 4200, 100',
    ],
    ['an end without a time', {}, { finishedAt: null }, 'I6: a ended, nobody knows when'],
    [
      'a row that is left',
      { changes: changes(takeover.slice(0, 2)), events: [start(1)] },
      { ...FIRST, finishedAt: null, startedAt: 1_000 },
      'I6: a is left RUNNING, 16000 ms after its lease',
      { running: true },
    ],
    [
      'a row that still runs',
      { changes: changes(takeover.slice(0, 2)), events: [start(1)], quietAt: 2_000 },
      { ...FIRST, finishedAt: null, startedAt: 1_000 },
      'I6: a still runs',
    ],
  ]
  it.each(bad)('is refused for %s', (_, differently, rowDifferently, told, allowed = {}) => {
    expect(
      check({ ...history(), ...differently }, [{ ...row(), ...rowDifferently }], allowed),
    ).toContain(told)
  })

  it('is refused for a row that is there twice', () => {
    expect(check(history(), [row(), row()])).toContain('I1: a is there twice')
  })
})

it('an attempt that was given back is none', () => {
  const giveBack: [number, RowState | null, RowState][] = [
    [500, null, READY],
    [1_000, READY, FIRST],
    [2_000, FIRST, { ...READY, claims: 1 }],
    [2_100, { ...READY, claims: 1 }, { ...FIRST, claims: 2 }],
    [3_000, { ...FIRST, claims: 2 }, { ...DONE, attempts: 1, errors: [] }],
  ]

  expect(
    check({ ...history(), changes: changes(giveBack) }, [{ ...row(), attempts: 1, errors: [] }]),
  ).toEqual([])
})

it('what was done by hand is left out, if the scenario says so', () => {
  const byHand = [...changes(takeover), { seq: 9, id: ID, at: 9_000, before: DONE, after: null }]

  expect(check({ ...history(), changes: byHand }, [], { tampered: [ID] })).toEqual([])
})

function history(): History {
  return {
    enqueued: [ID],
    undone: [],
    events: [start(1), start(2)],
    changes: changes(takeover),
    ledger: [
      { id: ID, claim: 1 },
      { id: ID, claim: 2 },
    ],
    quietAt: 20_000,
  }
}

function row(): FinalRow {
  return {
    ...DONE,
    id: ID,
    taskName: 'fault.sleep',
    enqueuedAt: 500,
    startedAt: 4_200,
    finishedAt: 6_000,
    returnValue: { claim: 2 },
    traceback: '',
  }
}

function start(claim: number): TaskEvent {
  return { event: 'start', id: ID, attempt: claim, claim, pid: 1, at: claim }
}

function changes(list: readonly [number, RowState | null, RowState][]): Change[] {
  return list.map(([at, before, after], seq) => ({ seq, id: ID, at, before, after }))
}
