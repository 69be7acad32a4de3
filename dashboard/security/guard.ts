import type { Refusal } from './access'

/** What every answer says, whatever it holds: nothing runs, loads or frames it but the page's own files. */
export const SAFE_HEADERS: Readonly<Record<string, string>> = {
  'Content-Security-Policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "connect-src 'self'",
    "img-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
  ].join('; '),
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Cache-Control': 'no-store',
}

/** The header that only a script of the page's own origin can add without being asked for leave first. */
const OURS = 'x-tasks'

/**
 * Why a request must not change anything; null: it may. A page of another site can make a browser send a request with the
 * cookies of this one, but not one that has a header of its own, and not one that says it comes from here.
 * `origins`: further ones that the page is served under, e.g. by a proxy that changes the host.
 */
export function forgery(headers: Headers, origins: readonly string[]): Refusal | null {
  if (!/^application\/json\s*(;|$)/i.test(headers.get('content-type') ?? ''))
    return {
      status: 415,
      message: 'Changes are sent as JSON, with Content-Type: application/json.',
    }
  if (headers.get(OURS) !== '1')
    return { status: 403, message: 'Changes are sent with the header X-Tasks: 1.' }
  if (isSameOrigin(headers, origins)) return null
  return {
    status: 403,
    message:
      'This change comes from another origin. Behind a proxy that changes the host, name the address of the page in the option origins.',
  }
}

/** Browsers send `Sec-Fetch-Site` to addresses they trust, those with TLS and of this machine; to others `Origin` alone. */
function isSameOrigin(headers: Headers, origins: readonly string[]): boolean {
  const site = headers.get('sec-fetch-site')
  if (site === 'same-origin') return true
  const origin = headers.get('origin')
  if (origin === null || origin === 'null') return false
  if (origins.includes(origin)) return true
  return site === null && hostOf(origin) === headers.get('host')?.toLowerCase()
}

function hostOf(origin: string): string | null {
  try {
    return new URL(origin).host
  } catch {
    return null
  }
}
