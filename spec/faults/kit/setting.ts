/** A number that a long run sets by FAULT_…; otherwise the short setting of CI. */
export function setting(name: string, short: number): number {
  const given = process.env[`FAULT_${name}`] ?? ''
  const value = given === '' ? short : Number(given)
  if (!Number.isFinite(value) || value < 0)
    throw new Error(`FAULT_${name} is "${given}"; it must be a number, 0 or more.`)
  return value
}

/** What this run's chances come from; a run with the same seed has the same plan. */
export const seed = setting('SEED', Date.now() % 1_000_000_000)

/** For whoever watches, without jest's frame around each line. */
export function say(...lines: readonly string[]): void {
  process.stdout.write(`${lines.join('\n')}\n`)
}
