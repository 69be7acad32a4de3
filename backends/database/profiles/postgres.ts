import { pgClients } from './clients'
import { postgresSettings } from './postgres-settings'
import { type Pool, type Profile, SAVEPOINT, type Server } from './profile'

const SERVER: Server = {
  question: `SELECT current_setting('server_version') AS version, current_setting('server_encoding') AS encoding,
    to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.MS') AS now`,
  productOf: () => ({ name: 'PostgreSQL', oldest: '13' }),
}

const base: Profile = {
  placeholder: 'dollar',
  poolSize: 'max',
  isSoleConnection: false,
  livesInMemory: () => false,
  wakesBy: null,
  mark: SAVEPOINT,
  errors: {
    noTable: /42P01/,
    noColumn: /42703/,
    refused: /^(42501|42601)/,
    misnamed: /^(3D000|28P01|28000)/,
    // node-postgres has no code for a server that ends in the middle of a statement, or does not answer.
    away: /^(57P0[1235]|53300|08\w{3})|^\S* (Connection terminated|Client has encountered a connection error|timeout exceeded when trying to connect|timeout expired)/,
    readOnly: /^25006 /,
    timedOut: /^\S* Query read timeout/,
    taken: /^23505 /,
    unfit: /^22P05 .* encoding /,
    noSavepoint: /^(3B001|25P01) /,
    contention: /^(40001|40P01) /,
    locked: /^55P03 /,
    tooSlow: /^57014 /,
    ailing:
      /^(08|0A|25(?!006)|28(?!P01|000)|3D(?!000)|42(?!P01|501|601|703)|53(?!300)|55(?!P03)|57(?!014|P0[123])|58|F0|XX)\w+ /,
  },
  server: SERVER,
  mayBeMariaDb: false,
  readsLocalTime: false,
  growth: {
    cleanedBy: 'vacuum',
    rows: (path) => ({
      sql: 'SELECT greatest(s.n_live_tup, c.reltuples::bigint) AS n FROM pg_stat_all_tables s JOIN pg_class c ON c.oid = s.relid WHERE s.relid = to_regclass($1)',
      values: [path],
    }),
    daysAgo: (days) => `now() - ${days} * INTERVAL '1 day'`,
  },
}

/** node-postgres. */
const pool: Pool = {
  appTimeout: 'connectTimeoutMS',
  timeout: 'connectionTimeoutMillis',
  keepAlive: (ms) => ({ keepAlive: true, keepAliveInitialDelayMillis: ms }),
}

export const postgres: Profile = {
  ...base,
  clients: pgClients,
  server: { ...SERVER, settings: postgresSettings },
  inexactKey: (path) => ({
    sql: "SELECT c.collname AS inexact FROM pg_attribute a JOIN pg_collation c ON c.oid = a.attcollation WHERE a.attrelid = to_regclass($1) AND a.attname = 'unique_key' AND NOT c.collisdeterministic",
    values: [path],
  }),
  exactly: (column) => `${column} COLLATE "C"`,
  prepares: 'named',
  pool,
  isolation: 'READ COMMITTED',
  wakesBy: 'notify',
}

/** Its own default is SERIALIZABLE, and stays. */
export const cockroachdb: Profile = {
  ...base,
  pool,
  whyDeaf: 'CockroachDB has no LISTEN: a cancellation is noticed at the next renewal',
}

/** By HTTP: there are no connections. */
export const auroraPostgres: Profile = { ...base, isolation: 'READ COMMITTED' }
