// Checked by the compiler alone: what a web server hands to users.
import {
  publicResponse,
  type PublicView,
  publicView,
  type TaskResult,
  taskToken,
  verifyTaskToken,
} from 'typeorm-tasks'

declare const result: TaskResult<{ sum: number }>
declare const nothing: TaskResult<void>

export const view: PublicView<{ sum: number }> = publicView(result)
export const sum: number | undefined = view.returnValue?.sum
export const none: null | undefined = publicView(nothing).returnValue
// @ts-expect-error arguments are not for users
export const args: unknown = view.args

const { body, status } = publicResponse(result, { ifNoneMatch: '"x"', more: { ahead: 3 } })
export const ahead: number | undefined = body?.ahead
export const same: number | undefined = body?.returnValue?.sum
export const known: 200 | 304 = status

export const token: string = taskToken(result, { secret: ['a', 'b'], for: 1 })
export const id: string | null = verifyTaskToken(token, { secret: 'a' })
// @ts-expect-error a token holds for a time
taskToken(result, { secret: 'a' })
