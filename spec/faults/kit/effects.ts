import type { DataSource } from 'typeorm'
import type { DBTaskResult } from '#entities'
import { dashed } from '#formats'

/** What transactional tasks write, in the transaction that completes their rows. */
export interface Effect {
  readonly id: string
  readonly claim: number
}

export async function installEffects(dataSource: DataSource): Promise<void> {
  await dataSource.query(
    'CREATE TABLE fault_effect (task_id varchar(36) NOT NULL, claim_no integer NOT NULL)',
  )
}

export async function readEffects(dataSource: DataSource): Promise<Effect[]> {
  const records = (await dataSource.query('SELECT task_id, claim_no FROM fault_effect')) as {
    task_id: string
    claim_no: number
  }[]
  return records.map(({ task_id, claim_no }) => ({ id: dashed(task_id), claim: Number(claim_no) }))
}

/** Each transactional task that succeeded has one effect, by the claim that its row says, and no other has any; gives each breach as a line. */
export function checkEffects(effects: readonly Effect[], rows: readonly DBTaskResult[]): string[] {
  const wanted = new Set(
    rows
      .filter(({ status }) => status === 'SUCCESSFUL')
      .map(({ id, claims }) => `${id} claim ${claims}`),
  )
  const found = effects.map(({ id, claim }) => `${id} claim ${claim}`)
  const seen = new Set<string>()
  return [
    ...[...wanted]
      .filter((each) => !found.includes(each))
      .map((each) => `Effects: that of ${each} is missing`),
    ...found
      .filter((each) => !wanted.has(each))
      .map((each) => `Effects: ${each} has one, and did not complete its row`),
    ...found
      .filter((each) => seen.has(each) || !seen.add(each))
      .map((each) => `Effects: ${each} has more than one`),
  ]
}
