import {
  afterImports,
  element,
  endsStatement,
  has,
  hasSpread,
  inserted,
  isArray,
  type Insertion,
  mentions,
  property,
  type Source,
  type Style,
  styleOf,
  valueOf,
} from './plain-form'
import { closingOf, placesOf, textAt, tokensOf } from './tokens'

/** What a file of the app becomes, or what its owner must write because its form is not plain. */
export interface Edit {
  /** The new text. Absent: the file has all it needs, or its form is not plain. */
  readonly text?: string
  /** Lines for the reader to add. Empty: nothing is left to do. */
  readonly left: readonly string[]
}

export interface DataSourceWish {
  /** CommonJS in JavaScript: `require` and `module.exports`. */
  readonly isCommonJs: boolean
  /** The entity of the tasks table is not among the entities yet. */
  readonly needsEntities: boolean
  /** TASKS is not configured yet, and is to be beside the data source. */
  readonly needsTasks: boolean
}

const BACKEND = 'typeorm-tasks/backends/database#DatabaseBackend'
/** Any of them lists the entity of the tasks table. */
const ENTITIES = ['taskEntities', 'DBTaskResult', 'dbTaskResultSchema']

/** Adds the entities and TASKS to the file of the data source. */
export function editDataSource(text: string, wish: DataSourceWish): Edit {
  const tokens = tokensOf(text)
  const source = { text, tokens: tokens ?? [] }
  const needed = {
    ...wish,
    needsEntities: wish.needsEntities && !has(source, ...ENTITIES),
    needsTasks: wish.needsTasks && !configuresTasks(source),
  }
  if (!needed.needsEntities && !needed.needsTasks) return { left: [] }
  const insertions = tokens === undefined ? undefined : insertionsFor(source, needed)
  return insertions === undefined
    ? { left: byHand(needed) }
    : { text: inserted(text, insertions), left: [] }
}

function configuresTasks({ tokens }: Source): boolean {
  return placesOf(tokens, 'configureTasks', '(').length > 0
}

function insertionsFor(source: Source, wish: DataSourceWish): Insertion[] | undefined {
  const style = styleOf(source)
  const found = dataSourceIn(source)
  if (found === undefined) return undefined
  const at = afterImports(source, found.options)
  if (at === undefined) return undefined
  const insertions = [{ at, text: style.newline + importLine(wish, style) }]
  if (wish.needsEntities) {
    const entities = entitiesIn(source, found.options)
    if (entities === undefined) return undefined
    insertions.push(entities)
  }
  if (wish.needsTasks) {
    if (found.name === undefined || !hasPlace(source, wish)) return undefined
    const lines = tasksLines(found.name, wish, style).join(style.newline)
    const blank = source.text.endsWith('\n') ? style.newline : style.newline.repeat(2)
    insertions.push({ at: source.text.length, text: `${blank}${lines}${style.newline}` })
  }
  return insertions
}

/** The only `new DataSource(…)`, where nothing surrounds it: how it is called there, and where its options open. */
function dataSourceIn(source: Source): { name?: string; options: number } | undefined {
  const { tokens } = source
  const places = placesOf(tokens, 'new', 'DataSource', '(')
  const [at] = places
  if (at === undefined || places.length > 1 || tokens[at]?.depth !== 0) return undefined
  const options = literalAt(tokens, at + 3)
  if (options === undefined) return undefined
  // What something is done with, as in `new DataSource(…).initialize()`, is another value.
  const isValue = endsStatement(source, closingOf(tokens, at + 2))
  const name = isValue ? nameBefore(tokens, at) : undefined
  return name === undefined ? { options } : { options, name }
}

/** Where the object literal opens: there, or where the constant that is named there is defined. */
function literalAt(tokens: Source['tokens'], at: number): number | undefined {
  if (textAt(tokens, at) === '{') return at
  if (tokens[at]?.kind !== 'name' || textAt(tokens, at + 1) !== ')') return undefined
  const [defined] = placesOf(tokens, 'const', textAt(tokens, at)).filter(
    (place) => tokens[place]?.depth === 0,
  )
  if (defined === undefined) return undefined
  const value = tokens.findIndex(({ text }, n) => n > defined && text === '=') + 1
  return textAt(tokens, value) === '{' ? value : undefined
}

/** `const name =`, `const name: Type =` or `exports.name =`. */
function nameBefore(tokens: Source['tokens'], at: number): string | undefined {
  const before = (n: number): string => textAt(tokens, at - n)
  if (before(1) !== '=') return undefined
  if (before(4) === 'exports' && before(3) === '.') return `module.exports.${before(2)}`
  if (before(3) === 'const') return before(2)
  return before(3) === ':' && before(5) === 'const' ? before(4) : undefined
}

function entitiesIn(source: Source, options: number): Insertion | undefined {
  const entities = valueOf(source, options, 'entities')
  if (entities === undefined)
    return hasSpread(source, options) || mentions(source, options, 'entities')
      ? undefined
      : property(source, options, 'entities: [...taskEntities]')
  return isArray(source, entities) && !hasSpread(source, options, entities)
    ? element(source, entities, '...taskEntities')
    : undefined
}

/** `module.exports = dataSource` has no place for TASKS, and a file none for a second `configureTasks` or `TASKS`. */
function hasPlace(source: Source, { isCommonJs }: DataSourceWish): boolean {
  const { tokens } = source
  if (has(source, 'configureTasks', ...(isCommonJs ? [] : ['TASKS']))) return false
  const whole = placesOf(tokens, 'exports', '=')
  return !isCommonJs
    ? placesOf(tokens, 'export', '=').length === 0
    : whole.every((at) => tokens[at + 2]?.text === '{')
}

function importLine(
  { isCommonJs, needsEntities, needsTasks }: DataSourceWish,
  { quote, semicolon }: Style,
): string {
  const names = [
    ...(needsTasks ? ['configureTasks'] : []),
    ...(needsEntities ? ['taskEntities'] : []),
  ]
  const from = `${quote}typeorm-tasks${quote}`
  return isCommonJs
    ? `const { ${names.join(', ')} } = require(${from})${semicolon}`
    : `import { ${names.join(', ')} } from ${from}${semicolon}`
}

function tasksLines(name: string, wish: DataSourceWish, style: Style): string[] {
  const { quote, semicolon, indent } = style
  const value = name === 'dataSource' ? 'dataSource' : `dataSource: ${name}`
  return [
    `${wish.isCommonJs ? 'module.exports.TASKS' : 'export const TASKS'} = configureTasks({`,
    `${indent}default: {`,
    `${indent}${indent}BACKEND: ${quote}${BACKEND}${quote},`,
    `${indent}${indent}OPTIONS: { ${value} },`,
    `${indent}},`,
    `})${semicolon}`,
  ]
}

/** The same, for a form that is not plain. */
function byHand(wish: DataSourceWish): string[] {
  const style: Style = { quote: "'", semicolon: '', indent: '  ', newline: '\n' }
  return [
    importLine(wish, style),
    ...(wish.needsEntities
      ? ['', '// in the options of the DataSource:', 'entities: [/* yours, */ ...taskEntities],']
      : []),
    ...(wish.needsTasks
      ? [
          '',
          '// after the DataSource, which is called dataSource here:',
          ...tasksLines('dataSource', wish, style),
        ]
      : []),
  ]
}
