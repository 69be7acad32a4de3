import { dashed } from '../../../entities/formats'
import { NotSupportedError } from '../../../lib/errors/errors'
import type { Awaited } from '../../../lib/row/flow-parts'
import type { FlowRows } from '../dialects/flow-verbs'
import type { RawRow } from '../row'
import { wholeOf } from './settling'

/** @throws NotSupportedError for a step that would wait for a row that is FAILED. */
export async function assertNoneFailed(
  step: Pick<RawRow, 'row_key' | 'task_path'>,
  { set }: Awaited,
  rows: FlowRows,
): Promise<void> {
  const from = (await rows.first([wholeOf(set)], 'failed')).get(set)?.key
  const [member] = from === undefined ? [] : await rows.members({ set, from, upTo: from }, 1)
  if (!member) return
  throw new NotSupportedError(
    `Task ${dashed(step.row_key)} (${step.task_path}) waits for task ${dashed(member.row_key)} (${member.task_path}), which is FAILED.`,
    'Retry that one first.',
  )
}
