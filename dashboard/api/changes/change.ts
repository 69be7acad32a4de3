import { shown, UsageError } from '../../../index'
import type { Change } from '../../options'
import type { Permission } from '../../security/access'
import type { Asked } from '../asked'

/** A change that may be made. */
export interface Changing extends Asked {
  readonly user: unknown
  readonly audit: (change: Change) => Promise<void>
}

/** What a path of the API changes, and who may. */
export interface ChangeRoute {
  readonly needs: Permission
  readonly answer: (changing: Changing, body: unknown) => Promise<Response>
}

/** @throws UsageError for a body that is no object, or has other keys. */
export function recordIn(
  body: unknown,
  known: readonly string[],
  hint: string,
): Readonly<Record<string, unknown>> {
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw new UsageError(`The body is ${shown(body)}.`, hint)
  const stranger = Object.keys(body).find((key) => !known.includes(key))
  if (stranger !== undefined) throw new UsageError(`The body has ${shown(stranger)}.`, hint)
  return body as Readonly<Record<string, unknown>>
}
