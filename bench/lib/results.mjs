import { median } from './numbers.mjs'

/** Every number that was measured, by round, so that ratios compare what ran side by side. */
export class Results {
  #found = new Map()
  problems = []

  add({ measure, database, who }, round, numbers) {
    for (const [metric, value] of Object.entries(numbers)) {
      const key = keyOf(measure, database, who, metric)
      this.#found.set(key, [...(this.#found.get(key) ?? []), { round, value }])
    }
  }

  values(...place) {
    return (this.#found.get(keyOf(...place)) ?? []).map(({ value }) => value)
  }

  median(...place) {
    const values = this.values(...place)
    return values.length === 0 ? undefined : median(values)
  }

  /** The median of the ratios within each round; places are measure, database, who, metric. */
  ratio(place, to) {
    const others = new Map(
      (this.#found.get(keyOf(...to)) ?? []).map(({ round, value }) => [round, value]),
    )
    const ratios = (this.#found.get(keyOf(...place)) ?? [])
      .filter(({ round }) => others.has(round))
      .map(({ round, value }) => value / others.get(round))
    return ratios.length === 0 ? undefined : median(ratios)
  }

  /** Who was measured, in the order of the first round. */
  rows(measure, database) {
    const whos = [...this.#found.keys()]
      .map((key) => key.split('|'))
      .filter((key) => key[0] === measure && key[1] === database)
      .map((key) => key[2])
    return [...new Set(whos)]
  }
}

function keyOf(...place) {
  return place.join('|')
}
