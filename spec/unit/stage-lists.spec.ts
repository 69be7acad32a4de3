import { IndexedQueue, IndexedSet, Member } from '#stage-lists'

class Thing extends Member<'here' | 'there'> {
  readonly name: string

  constructor(name: string) {
    super()
    this.name = name
  }
}

const things = (count: number): Thing[] =>
  Array.from({ length: count }, (_, at) => new Thing(String.fromCodePoint(97 + at)))
const namesIn = (set: { all(): Thing[] }): string =>
  set
    .all()
    .map(({ name }) => name)
    .join('')

describe.each([
  ['a set', () => new IndexedSet<'here' | 'there', Thing>('here')],
  ['a queue', () => new IndexedQueue<'here' | 'there', Thing>('here')],
])('%s', (_, make) => {
  it('holds what was added, and gives up what is deleted, wherever it was', () => {
    for (const deleted of [[0], [1, 3], [4, 0, 2], [0, 1, 2, 3, 4]]) {
      const [set, all] = [make(), things(5)]
      for (const thing of all) set.add(thing)

      for (const at of deleted) set.delete(all[at]!)

      const left = all.filter((__, at) => !deleted.includes(at))
      expect(new Set(set.all())).toEqual(new Set(left))
      expect(set.size).toBe(left.length)
      expect(all.map(({ setName }) => setName)).toEqual(
        all.map((__, at) => (deleted.includes(at) ? null : 'here')),
      )
    }
  })

  it('can be filled again after it was empty', () => {
    const [set, [first, second]] = [make(), things(2)]
    set.add(first!)
    set.delete(first!)
    set.add(second!)
    set.add(first!)
    set.delete(second!)

    expect(set.all()).toEqual([first])
  })
})

it('a member is in the set that it was moved to', () => {
  const here = new IndexedSet<'here' | 'there', Thing>('here')
  const there = new IndexedQueue<'here' | 'there', Thing>('there')
  const all = things(3)
  for (const thing of all) here.add(thing)

  here.delete(all[0]!)
  there.add(all[0]!)

  expect([namesIn(here), namesIn(there), all[0]!.setName]).toEqual(['cb', 'a', 'there'])
})

it('a queue keeps the order of thousands, with gaps in the middle and at the start, while it goes on', () => {
  const queue = new IndexedQueue<'here' | 'there', Thing>('here')
  let [added, expected]: [number, Thing[]] = [0, []]
  for (let round = 0; round < 2_000; round++) {
    for (let more = 0; more < 3; more++) {
      const thing = new Thing(String(added++))
      queue.add(thing)
      expected.push(thing)
    }
    const middle = expected[Math.floor(expected.length / 2)]!
    queue.delete(middle)
    expected = expected.filter((thing) => thing !== middle)
    if (round % 5 > 0) {
      expect(queue.first).toBe(expected[0])
      queue.delete(expected.shift()!)
    }
  }

  expect(queue.all()).toEqual(expected)
  expect(queue.size).toBe(expected.length)
  while (queue.first) {
    expect(queue.first).toBe(expected.shift())
    queue.delete(queue.first)
  }
  expect(expected).toEqual([])
})
