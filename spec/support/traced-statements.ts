import { trace } from '@opentelemetry/api'
import type Sqlite from 'better-sqlite3'

type Method = (this: unknown, ...given: unknown[]) => unknown

/**
 * Makes a span of each statement, also of those of a worker, in the context in which it is sent: as instrumentations of drivers
 * do. The function it gives back ends that.
 */
export function traceStatements(database: string): () => void {
  const undo = methodsOf(database).map(([prototype, name]) => wrap(prototype, name))
  return () => undo.forEach((each) => each())
}

function methodsOf(database: string): [object, string][] {
  if (database === 'sqlite') {
    // Not where they are prepared, which is once.
    const connection = new (require('better-sqlite3') as typeof Sqlite)(':memory:')
    const statement: object = Object.getPrototypeOf(connection.prepare('SELECT 1'))
    connection.close()
    return ['all', 'get', 'run'].map((name) => [statement, name])
  }
  if (database === 'postgres')
    return [[(require('pg') as { Client: { prototype: object } }).Client.prototype, 'query']]
  const { Connection } = require('mysql2') as { Connection: { prototype: object } }
  return [
    [Connection.prototype, 'query'],
    [Connection.prototype, 'execute'],
  ]
}

function wrap(prototype: object, name: string): () => void {
  const plain = Reflect.get(prototype, name) as Method
  Reflect.set(prototype, name, function (this: unknown, ...given: unknown[]) {
    trace.getTracer('statements').startSpan('statement').end()
    return Reflect.apply(plain, this, given)
  })
  return () => void Reflect.set(prototype, name, plain)
}
