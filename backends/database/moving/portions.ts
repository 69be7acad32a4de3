/** Texts of one statement, and the sizes that a list of them is filled up to: each size is a statement to prepare. */
const MOST = 256
const SIZES = [1, 4, 16, 64, MOST]

/** As many texts as one of the sizes: the last one again. */
export function* portionsOf(texts: readonly string[]): Generator<string[]> {
  for (let at = 0; at < texts.length; at += MOST) {
    const some = texts.slice(at, at + MOST)
    const size = SIZES.find((each) => each >= some.length) ?? some.length
    yield [...some, ...Array<string>(size - some.length).fill(some.at(-1) ?? '')]
  }
}
