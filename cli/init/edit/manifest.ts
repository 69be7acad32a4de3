import { closingOf, tokensOf } from './tokens'
import { element, inserted, styleOf, valueOf } from './plain-form'

/** The scripts that package.json gets, by name. */
export type Scripts = Readonly<Record<string, string>>

/** Adds the scripts that package.json does not have, and keeps its form. */
export function editManifest(text: string, scripts: Scripts): string {
  const known = (JSON.parse(text) as { scripts?: object }).scripts
  const added = Object.entries(scripts).filter(([name]) => !Object.hasOwn(known ?? {}, name))
  return added.reduce<string>((made, [name, script]) => withScript(made, name, script), text)
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
