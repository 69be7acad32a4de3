/** The token of a link that `tasks dashboard` prints: kept for this tab alone, and never left in the address. */
const KEY = 'typeorm-tasks-token'

let token: string | null = null

/** Takes `#token=…` out of the address. */
export function takeToken(): void {
  const given = /^#token=([\w.~+/=-]+)/.exec(location.hash)?.[1]
  token = given ?? kept()
  if (given === undefined) return
  history.replaceState(null, '', `${location.pathname}${location.search}#/`)
  try {
    sessionStorage.setItem(KEY, given)
  } catch {
    // Without storage it lasts until the page is loaded anew.
  }
}

/** The headers that every request has. */
export function authorization(): Readonly<Record<string, string>> {
  return token === null ? {} : { Authorization: `Bearer ${token}` }
}

function kept(): string | null {
  try {
    return sessionStorage.getItem(KEY)
  } catch {
    return null
  }
}
