import type { ColumnOptions, DataSourceOptions } from 'typeorm'
import type { Built } from './metadata-hook'
import type { Family } from '../database-family'
import {
  emptyText,
  foreignJson,
  hexId,
  jsonBinary,
  jsonText,
  longTextJson,
  mysqlInstant,
  plainText,
  textInstant,
  wholeNumber,
  zonedInstant,
} from './transformers'

/** What a column holds, independent of the database. `word` is a short text that is compared and indexed. */
export type Kind = 'id' | 'word' | 'text' | 'json' | 'instant' | 'int'

/** The column options that a kind decides. */
export type Native = Pick<
  ColumnOptions,
  'type' | 'length' | 'precision' | 'charset' | 'collation' | 'nullable' | 'transformer'
>

type Types = Readonly<Record<Kind, (built: Built, foreign: boolean) => Native>>

const postgres: Types = {
  id: () => ({ type: 'uuid' }),
  word: () => ({ type: 'varchar' }),
  text: () => ({ type: 'text' }),
  json: (built) => ({ type: 'jsonb', transformer: jsonBinary(built) }),
  instant: (built) => ({
    type: 'timestamptz',
    precision: 6,
    transformer: zonedInstant(built),
  }),
  int: () => ({ type: 'integer', transformer: wholeNumber }),
}

// Independent of the database's default: all of Unicode fits and case matters, as on other databases.
const unicode = { charset: 'utf8mb4', collation: 'utf8mb4_bin' } as const

// JSON is longtext, as in MariaDB: TypeORM reads MySQL's own json type wrong if the value is a string.
const mysql: Types = {
  id: (built) =>
    built.mariaDbUuid
      ? { type: 'uuid' }
      : { type: 'char', length: 32, charset: 'ascii', collation: 'ascii_bin', transformer: hexId },
  word: () => ({ type: 'varchar', ...unicode }),
  text: () => ({ type: 'longtext', ...unicode, transformer: plainText }),
  json: (built, foreign) => ({
    type: 'longtext',
    ...unicode,
    transformer: foreign ? foreignJson(built) : longTextJson(built),
  }),
  instant: (built) => ({
    type: 'datetime',
    precision: 6,
    transformer: mysqlInstant(built, zoneOf(built.dataSource.options)),
  }),
  int: () => ({ type: 'int', transformer: wholeNumber }),
}

// Text, even for instants: TypeORM would rewrite a datetime's text and read its microseconds as local time.
const sqlite: Types = {
  id: () => ({ type: 'varchar', length: 32, transformer: hexId }),
  word: () => ({ type: 'varchar' }),
  text: () => ({ type: 'text' }),
  json: () => ({ type: 'text', transformer: jsonText }),
  instant: () => ({ type: 'text', transformer: textInstant }),
  int: () => ({ type: 'integer', transformer: wholeNumber }),
}

const longTexts: Readonly<Record<string, Native | undefined>> = {
  mssql: { type: 'nvarchar', length: 'MAX' },
  oracle: { type: 'clob' },
  sap: { type: 'nclob' },
  spanner: { type: 'string', length: 'max' },
}

const zonedInstants: Readonly<Record<string, Native | undefined>> = {
  mssql: { type: 'datetimeoffset', precision: 6 },
  oracle: { type: 'timestamp with time zone', precision: 6 },
}

const other: Types = {
  id: () => ({ type: String, length: 36 }),
  word: () => ({ type: String }),
  text: (built) => ({
    ...longText(built),
    ...(built.dataSource.options.type === 'oracle'
      ? { nullable: true, transformer: emptyText }
      : {}),
  }),
  json: (built) => ({ ...longText(built), transformer: jsonText }),
  instant: ({ dataSource }) => zonedInstants[dataSource.options.type] ?? { type: 'timestamp' },
  int: () => ({ type: Number }),
}

const families: Readonly<Record<Family, Types>> = { postgres, mysql, sqlite, other }

/** The column options of a kind in the DataSource that is being built. `foreign`: a column that Django made. */
export function nativeType(kind: Kind, built: Built, foreign: boolean): Native {
  return families[built.family][kind](built, foreign)
}

function longText({ dataSource }: Built): Native {
  return longTexts[dataSource.options.type] ?? { type: 'text' }
}

/** The zone in which the driver reads a datetime. */
function zoneOf(options: DataSourceOptions): string {
  const { extra, ...top } = options as { extra?: Zone } & Zone
  return { ...top, ...extra }.timezone ?? 'local'
}

interface Zone {
  readonly timezone?: string
}
