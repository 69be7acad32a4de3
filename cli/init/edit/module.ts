import type { Edit } from './data-source'
import {
  afterImports,
  element,
  elements,
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

/** What the file gets. */
interface Additions {
  readonly imported: readonly Provider[]
  /** Among the imports of the module. */
  readonly modules: readonly string[]
  /** Among its providers. */
  readonly providers: readonly string[]
  /** Where the only list of entities in the file opens, if the entities of tasks are to be in it. */
  readonly entities?: number
}

/**
 * Adds TasksModule, classes with task handlers, and the entities, where TypeOrmModule has its options in this file, to the file of
 * Nest's root module.
 *
 * @param needsModule false if another module of the app imports TasksModule
 */
export function editModule(text: string, wished: readonly Provider[], needsModule = true): Edit {
  const tokens = tokensOf(text)
  const source = { text, tokens: tokens ?? [] }
  const additions = additionsTo(source, wished, needsModule)
  if (additions.imported.length === 0) return { left: [] }
  const insertions = tokens === undefined ? undefined : insertionsFor(source, additions)
  return insertions === undefined
    ? { left: byHand(additions) }
    : { text: inserted(text, insertions), left: [] }
}

function additionsTo(source: Source, wished: readonly Provider[], needsModule: boolean): Additions {
  const isNew = needsModule && !has(source, 'TasksModule')
  const providers = wished.filter(({ name }) => !has(source, name))
  const entities = entitiesFor(source)
  return {
    imported: [
      ...(isNew ? [{ name: 'TasksModule', from: 'typeorm-tasks/nestjs' }] : []),
      ...(entities === undefined ? [] : [{ name: 'taskEntities', from: 'typeorm-tasks' }]),
      ...providers,
    ],
    modules: [
      ...(entities === 'feature' ? ['TypeOrmModule.forFeature(taskEntities)'] : []),
      ...(isNew ? [moduleLine(styleOf(source))] : []),
    ],
    providers: providers.map(({ name }) => name),
    ...(typeof entities === 'number' ? { entities } : {}),
  }
}

/** How TypeOrmModule learns of the entities: by forFeature, in a list of this file, or not in this file. */
function entitiesFor(source: Source): 'feature' | number | undefined {
  if (has(source, 'taskEntities', 'DBTaskResult', 'dbTaskResultSchema')) return undefined
  if (placesOf(source.tokens, 'autoLoadEntities').length > 0) return 'feature'
  const [at, ...others] = placesOf(source.tokens, 'entities', ':', '[')
  return at !== undefined && others.length === 0 && isArray(source, at + 2) ? at + 2 : undefined
}

function insertionsFor(source: Source, additions: Additions): Insertion[] | undefined {
  const { newline } = styleOf(source)
  const [module, ...others] = placesOf(source.tokens, '@', 'Module', '(', '{')
  const at = afterImports(source)
  if (module === undefined || others.length > 0 || at === undefined) return undefined
  const { modules, providers, entities } = additions
  const parts = [
    modules.length > 0 ? inArray(source, module + 3, 'imports', modules) : [],
    providers.length > 0 ? inArray(source, module + 3, 'providers', providers) : [],
  ]
  const lines = importLines(styleOf(source), additions)
  return parts.includes(undefined)
    ? undefined
    : [
        { at, text: lines.map((line) => newline + line).join('') },
        ...parts.flatMap((part) => part ?? []),
        ...(entities === undefined ? [] : [element(source, entities, '...taskEntities')]),
      ]
}

/** Puts elements into the array that is a property of the module. */
function inArray(
  source: Source,
  open: number,
  name: 'imports' | 'providers',
  texts: readonly string[],
): Insertion | undefined {
  const value = valueOf(source, open, name)
  if (value !== undefined)
    return isArray(source, value) ? elements(source, value, texts) : undefined
  return mentions(source, open, name)
    ? undefined
    : property(source, open, `${name}: [${texts.join(', ')}]`)
}

function importLines(
  { quote, semicolon }: Style,
  { imported }: Pick<Additions, 'imported'>,
): string[] {
  return imported.map(
    ({ name, from }) => `import { ${name} } from ${quote}${from}${quote}${semicolon}`,
  )
}

/** The DataSource is the one that TypeOrmModule provides. */
function moduleLine({ quote }: Style): string {
  return `TasksModule.forRoot({ tasks: { default: { BACKEND: ${quote}${BACKEND}${quote} } } })`
}

/** The same, for a form that is not plain. */
function byHand({ imported, modules, providers, entities }: Additions): string[] {
  const style: Style = { quote: "'", semicolon: '', indent: '  ', newline: '\n' }
  const part = (where: string, lines: readonly string[]): string[] =>
    lines.length === 0 ? [] : ['', `// ${where}:`, ...lines.map((line) => `${line},`)]
  return [
    ...importLines(style, { imported }),
    ...part('among the imports of the root module', modules),
    ...part('among its providers', providers),
    ...part('among the entities', entities === undefined ? [] : ['...taskEntities']),
  ]
}
