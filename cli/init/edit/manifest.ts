import { isDeepStrictEqual } from 'node:util'
import type { Edit } from './data-source'
import { closingOf, tokensOf } from './tokens'
import { element, inserted, styleOf, valueOf } from './plain-form'

/** The scripts that package.json gets, by name. */
export type Scripts = Readonly<Record<string, string>>

/** Adds the scripts that package.json does not have, and keeps its form. What would not be read as meant is left to the reader. */
export function editManifest(text: string, scripts: Scripts): Edit {
  const manifest = objectIn(text) ?? {}
  const { scripts: found = {} } = manifest
  const known = isObject(found) ? found : {}
  const added = Object.entries(scripts).filter(([name]) => !Object.hasOwn(known, name))
  if (added.length === 0) return { left: [] }
  const made = added.reduce((each, [name, script]) => withScript(each, name, script), text)
  const wished = { ...manifest, scripts: { ...known, ...Object.fromEntries(added) } }
  return isObject(found) && isDeepStrictEqual(objectIn(made), wished)
    ? { text: made, left: [] }
    : { left: JSON.stringify({ scripts: Object.fromEntries(added) }, null, 2).split('\n') }
}

/** The object of a JSON text, with or without a byte order mark; undefined if it is none. */
function objectIn(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text.replace(/^\uFEFF/, ''))
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function withScript(text: string, name: string, script: string): string {
  const line = `${JSON.stringify(name)}: ${JSON.stringify(script)}`
  const source = { text, tokens: tokensOf(text) ?? [] }
  const scripts = valueOf(source, 0, '"scripts"')
  const { indent, newline } = styleOf(source)
  const isOfLines = text.trimEnd().includes('\n')
  if (scripts !== undefined && closingOf(source.tokens, scripts) > scripts + 1)
    return inserted(text, [element(source, scripts, line)])
  const block = isOfLines ? `{${newline}${indent}${line}${newline}}` : `{ ${line} }`
  if (scripts !== undefined) {
    const [open, close] = [source.tokens[scripts], source.tokens[scripts + 1]]
    const laid = block.replaceAll('\n', `\n${indent}`)
    return text.slice(0, open?.start) + laid + text.slice(close?.end)
  }
  return source.tokens.length > 2
    ? inserted(text, [element(source, 0, `"scripts": ${block}`)])
    : `{${newline}${indent}"scripts": ${block.replaceAll('\n', `\n${indent}`)}${newline}}${newline}`
}
