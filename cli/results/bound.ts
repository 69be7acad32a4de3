import type { CountQuery, ListQuery, TaskBackend } from '../../lib/backend'
import { NotSupportedError } from '../../lib/errors/errors'

/** `--within`, or undefined: if there are no more results than that, or if a backend cannot count, so that nobody would know. */
export async function boundOf(
  { within, before }: { readonly within: number; readonly before?: string },
  backend: TaskBackend,
): Promise<number | undefined> {
  if (within === 0) return undefined
  const query = { everyBackend: true, within: within + 1, before }
  const present = (await totalOf(backend, query, undefined)) ?? 0
  return present > within ? within : undefined
}

/** Undefined for a backend that cannot count. */
export async function totalOf(
  backend: TaskBackend,
  query: CountQuery,
  status: ListQuery['status'],
): Promise<number | undefined> {
  try {
    const counts = await backend.counts(query)
    if (status === undefined) return Object.values(counts).reduce((sum, count) => sum + count, 0)
    if (status === 'WAITING') return counts.WAITING ?? 0
    return counts[status] + (status === 'READY' ? (counts.WAITING ?? 0) : 0)
  } catch (error) {
    if (error instanceof NotSupportedError) return undefined
    throw error
  }
}
