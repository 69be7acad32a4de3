import { djangoHint, isDjangoUnpacked } from '../django/harness/django-folder'
import { openScratch } from './scratch.cjs'
import { Desk, type DeskCard } from './servers/desk'
import { wanted, type Wanted } from './servers/wanted'

declare global {
  var specDesk: Desk | undefined
  var closeScratch: (() => void) | undefined
}

/** Opens the desk that hands databases to the specs; under CI a missing database fails the run. */
export default async function setUp(): Promise<void> {
  // Projects with more to set up have a file of their own, and jest calls each file once.
  if (globalThis.specDesk !== undefined) return
  const wish = wanted()
  if (Object.keys(wish.missing).length > 0) tellMissing(wish)
  if (isTrue(process.env['DJANGO']) && !isDjangoUnpacked()) tellNoDjango()
  globalThis.closeScratch = openScratch()
  const desk = new Desk()
  const card: DeskCard = { ...wish, port: await desk.open() }
  process.env['SPEC_DESK'] = JSON.stringify(card)
  globalThis.specDesk = desk
}

function tellMissing({ missing }: Wanted): void {
  const lines = Object.entries(missing).map(([name, hint]) => `MISSING: ${name}. ${hint}`)
  if (isTrue(process.env['CI']))
    throw new Error(
      `Under CI every database must be there.\n${lines.join('\n')}\nOr choose databases: DB=sqlite`,
    )
  shout([...lines, 'The specs of a missing database are skipped.'])
}

function tellNoDjango(): void {
  const line = `MISSING: Django. ${djangoHint}`
  if (isTrue(process.env['CI'])) throw new Error(`Under CI Django must be there.\n${line}`)
  shout([line, 'The specs that run beside a real Django are skipped.'])
}

/** Prints what nobody should overlook. */
export function shout(lines: readonly string[]): void {
  const width = Math.max(...lines.map((line) => line.length))
  const rule = '*'.repeat(width)
  process.stderr.write(`\n${rule}\n${lines.join('\n')}\n${rule}\n\n`)
}

/** Whether a variable of the environment switches something on. */
export function isTrue(value: string | undefined): boolean {
  return value !== undefined && !['', '0', 'false'].includes(value)
}
