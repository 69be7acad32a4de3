const OPENING = '([{'
const CLOSING = ')]}'

/**
 * The names of a function's parameters, as its source has them, without those that are taken apart (`{ a, b }`). For a warning
 * only: of a minified function they say nothing.
 */
export function parametersOf(fn: (...given: never[]) => unknown): string[] {
  const source = Function.prototype.toString.call(fn).replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, '')
  const single = /^(?:async\s+)?([\w$]+)\s*=>/.exec(source)
  if (single?.[1] !== undefined) return [single[1]]
  return listedIn(source.slice(source.indexOf('(') + 1)).flatMap(
    (parameter) => /^\s*([\w$]+)/.exec(parameter)?.[1] ?? [],
  )
}

/** The parts between commas, up to the parenthesis that ends the list. */
function listedIn(source: string): string[] {
  const parts = ['']
  let depth = 0
  for (const sign of source) {
    if (depth === 0 && sign === ')') break
    if (OPENING.includes(sign)) depth++
    if (CLOSING.includes(sign)) depth--
    if (depth === 0 && sign === ',') parts.push('')
    else parts[parts.length - 1] += sign
  }
  return parts
}
