import type { DataSource } from 'typeorm'
import type { Problem } from '../../../lib/backend'
import { profileOf } from '../profiles/profile-of'

/**
 * A driver that reads a datetime as local time moves instants in the hour that the process's zone skips in spring, before
 * the entity sees them. Only repositories read that way; results do not.
 */
export function zoneProblems(dataSource: DataSource): Problem[] {
  if (!readsLocalTime(dataSource) || !changesItsClocks()) return []
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone
  return [
    {
      level: 'warning',
      message: `The connection has no timezone, and this process lives in ${zone}: a repository reads instants in the hour that is skipped there in spring up to an hour off.`,
      hint: "Run the process with TZ=UTC, or set `timezone: 'Z'` in the DataSource, which also changes how the app's own datetime columns are read.",
    },
  ]
}

function readsLocalTime({ options }: DataSource): boolean {
  if (!profileOf(options.type).readsLocalTime) return false
  const { extra, ...top } = options as { extra?: Zone } & Zone
  const { timezone = 'local', dateStrings = false }: Zone = { ...top, ...extra }
  return timezone === 'local' || dateStrings !== false
}

interface Zone {
  readonly timezone?: string
  readonly dateStrings?: unknown
}

function changesItsClocks(): boolean {
  const year = new Date().getFullYear()
  return new Date(year, 0, 1).getTimezoneOffset() !== new Date(year, 6, 1).getTimezoneOffset()
}
