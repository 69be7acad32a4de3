import { Bag } from '#indexed-set'

const things = (...names: string[]): { name: string; at: number }[] =>
  names.map((name) => ({ name, at: -1 }))

it('a bag holds what was put in, once each, and gives up what is taken out', () => {
  const bag = new Bag<{ name: string; at: number }>()
  const all = things('a', 'b', 'c', 'd')
  for (const thing of all) bag.add(thing)

  bag.delete(all[1]!)
  bag.delete(all[3]!)

  expect(
    bag
      .all()
      .map(({ name }) => name)
      .toSorted(),
  ).toEqual(['a', 'c'])
  expect(all.map(({ at }) => at >= 0)).toEqual([true, false, true, false])
})

it('a bag takes it well that the same is taken out twice, or was never in', () => {
  const bag = new Bag<{ name: string; at: number }>()
  const [first, second, stranger] = things('a', 'b', 'c')
  bag.add(first!)
  bag.add(second!)

  bag.delete(stranger!)
  bag.delete(first!)
  bag.delete(first!)

  expect(bag.all()).toEqual([second])
})

it('a bag that is emptied can be filled again', () => {
  const bag = new Bag<{ name: string; at: number }>()
  const [first, second] = things('a', 'b')
  bag.add(first!)
  bag.add(second!)

  bag.clear()
  bag.add(second!)

  expect({ size: bag.size, first: first!.at, second: second!.at }).toEqual({
    size: 1,
    first: -1,
    second: 0,
  })
})
