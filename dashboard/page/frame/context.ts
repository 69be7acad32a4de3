import { createContext } from 'preact'
import { useContext } from 'preact/hooks'
import type { BackendView, Overview, Permission } from '../../api/wire'

/** What every place needs to know. */
export interface Surroundings {
  readonly overview: Overview
  /** The one that is looked at. */
  readonly backend: BackendView
}

const NONE: Surroundings = {
  overview: { title: '', environment: null, now: '', permissions: [], backends: [] },
  backend: { alias: '', queues: null, problem: null },
}

export const Around = createContext<Surroundings>(NONE)

export function useAround(): Surroundings {
  return useContext(Around)
}

export function useMay(permission: Permission): boolean {
  return useAround().overview.permissions.includes(permission)
}

/** A path of the API with the backend that is looked at. */
export function usePath(path: string, parameters: Readonly<Record<string, string>> = {}): string {
  const { overview, backend } = useAround()
  return pathOf(path, overview.backends.length > 1 ? backend.alias : '', parameters)
}

export function pathOf(
  path: string,
  backend: string,
  parameters: Readonly<Record<string, string>> = {},
): string {
  const search = new URLSearchParams({ ...(backend && { backend }), ...parameters }).toString()
  return path + (search && `?${search}`)
}
