import type { Edit } from './data-source'
import {
  afterImports,
  element,
  has,
  inserted,
  type Insertion,
  isArray,
  mentions,
  property,
  type Source,
  type Style,
  styleOf,
  valueOf,
} from './plain-form'
import { placesOf, tokensOf } from './tokens'

const BACKEND = 'typeorm-tasks/backends/database#DatabaseBackend'

/** A class with task handlers, and how the module imports its file. */
export interface Provider {
  readonly name: string
  readonly from: string
}

/** Adds TasksModule, and classes with task handlers, to the file of Nest's root module. */
export function editModule(text: string, wished: readonly Provider[]): Edit {
  const tokens = tokensOf(text)
  const source = { text, tokens: tokens ?? [] }
  const needsModule = !has(source, 'TasksModule')
  const providers = wished.filter(({ name }) => !has(source, name))
  if (!needsModule && providers.length === 0) return { left: [] }
  const insertions =
    tokens === undefined ? undefined : insertionsFor(source, needsModule, providers)
  return insertions === undefined
    ? { left: byHand(needsModule, providers) }
    : { text: inserted(text, insertions), left: [] }
}

function insertionsFor(
  source: Source,
  needsModule: boolean,
  providers: readonly Provider[],
): Insertion[] | undefined {
  const style = styleOf(source)
  const [module, ...others] = placesOf(source.tokens, '@', 'Module', '(', '{')
  const at = afterImports(source)
  if (module === undefined || others.length > 0 || at === undefined) return undefined
  const parts = [
    ...(needsModule ? [inArray(source, module + 3, 'imports', moduleLine(style))] : []),
    ...(providers.length > 0
      ? [inArray(source, module + 3, 'providers', providers.map(({ name }) => name).join(', '))]
      : []),
  ]
  const lines = importLines(style, needsModule, providers)
  const insertions = [
    { at, text: lines.map((line) => style.newline + line).join('') },
    ...parts.flatMap((part) => part ?? []),
  ]
  return parts.includes(undefined) ? undefined : insertions
}

/** Puts an element into the array that is a property of the module. */
function inArray(
  source: Source,
  open: number,
  name: 'imports' | 'providers',
  text: string,
): Insertion | undefined {
  const value = valueOf(source, open, name)
  if (value === undefined)
    return mentions(source, open, name) ? undefined : property(source, open, `${name}: [${text}]`)
  return isArray(source, value) ? element(source, value, text) : undefined
}

function importLines(
  { quote, semicolon }: Style,
  needsModule: boolean,
  providers: readonly Provider[],
): string[] {
  const module = { name: 'TasksModule', from: 'typeorm-tasks/nestjs' }
  return [...(needsModule ? [module] : []), ...providers].map(
    ({ name, from }) => `import { ${name} } from ${quote}${from}${quote}${semicolon}`,
  )
}

/** The DataSource is the one that TypeOrmModule provides. */
function moduleLine({ quote }: Style): string {
  return `TasksModule.forRoot({ tasks: { default: { BACKEND: ${quote}${BACKEND}${quote} } } })`
}

/** The same, for a form that is not plain. */
function byHand(needsModule: boolean, providers: readonly Provider[]): string[] {
  const style: Style = { quote: "'", semicolon: '', indent: '  ', newline: '\n' }
  return [
    ...importLines(style, needsModule, providers),
    ...(needsModule
      ? ['', '// among the imports of the root module:', `${moduleLine(style)},`]
      : []),
    ...(providers.length > 0
      ? ['', `// among its providers: ${providers.map(({ name }) => name).join(', ')}`]
      : []),
  ]
}
