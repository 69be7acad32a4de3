import { createContext } from 'preact'
import { useContext } from 'preact/hooks'
import type { BackendView, Overview, Permission, Problem } from '../../api/wire'
import { useMode } from '../server/use'

/** What every place needs to know. */
export interface Surroundings {
  readonly overview: Overview
  /** The one that is looked at. */
  readonly backend: BackendView
  /** What keeps the page from being read again, as is said at its top. */
  readonly problem: Problem | undefined
}

const NONE: Surroundings = {
  overview: { title: '', environment: null, now: '', permissions: [], backends: [] },
  backend: { alias: '', queues: null, problem: null, noPauses: null },
  problem: undefined,
}

export const Around = createContext<Surroundings>(NONE)

export function useAround(): Surroundings {
  return useContext(Around)
}

/**
 * Whether the top of the page says already what is wrong: that the server is away or closed, or the same of the backend. Two
 * tables that are missing are one problem with one mend.
 */
export function useIsTold(problem: Problem | undefined): boolean {
  const { backend, problem: whole } = useAround()
  const isAway = useMode() === 'away'
  return (
    isAway ||
    whole !== undefined ||
    (backend.problem !== null && backend.problem.code === problem?.code)
  )
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
