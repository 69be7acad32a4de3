import type { DataSource } from 'typeorm'
import type { Problem } from '../../lib/backend'

export async function checkDatabase(_dataSource: () => Promise<DataSource>): Promise<Problem[]> {
  return []
}
