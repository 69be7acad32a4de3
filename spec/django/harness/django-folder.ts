import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'

const FETCH = join(__dirname, 'fetch.sh')

/** Where fetch.sh unpacks Django. */
export const djangoFolder = join(
  process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'),
  'typeorm-tasks/django',
)

export const djangoHint = `Unpack it (nothing is installed): ${FETCH}`

export function isDjangoUnpacked(): boolean {
  return existsSync(join(djangoFolder, 'edition'))
}
