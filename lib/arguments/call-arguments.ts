import { InvalidTaskError } from '../errors/errors'
import {
  type Rule,
  type Subject,
  assertKnown,
  check,
  isRecord,
  or,
  unexpected,
} from '../errors/option-checks'

/** One call of a task, keyword arguments apart. */
export interface CallArguments {
  args?: readonly unknown[] | undefined
  kwargs?: Readonly<Record<string, unknown>> | undefined
}

const CALL: Rule = { expected: '{ args, kwargs }', isSound: isRecord }
const ARGS: Rule = { expected: 'a list of arguments', isSound: Array.isArray }
const KWARGS: Rule = { expected: 'an object of arguments by name', isSound: isRecord }
const CALLS: Rule = { expected: 'a list of lists of arguments', isSound: Array.isArray }

/** @throws InvalidTaskError unless a row of these could be run. */
export function assertCall(name: string, call: CallArguments): void {
  const subject = callSubject(name)
  check(subject, 'enqueueWith', call, CALL)
  assertKnown({ ...subject, what: `${subject.what}, enqueueWith` }, call, ['args', 'kwargs'], 'key')
  check(subject, 'args', call.args, or(undefined, ARGS))
  check(subject, 'kwargs', call.kwargs, or(undefined, KWARGS))
}

/** @throws InvalidTaskError unless each call is a list of arguments. */
export function assertCalls(name: string, calls: readonly unknown[]): void {
  check(callSubject(name), 'enqueueMany', calls, CALLS)
  const wrong = calls.findIndex((args) => !ARGS.isSound(args))
  if (wrong !== -1)
    throw unexpected(callSubject(name), `enqueueMany, call ${wrong}`, ARGS, calls[wrong])
}

function callSubject(name: string): Subject {
  return { what: `Task "${name}"`, Fault: InvalidTaskError, hint: 'Nothing was enqueued.' }
}
