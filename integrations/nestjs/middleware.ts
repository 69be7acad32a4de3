import { type InjectionToken, Scope, type Type } from '@nestjs/common'
import type { ModuleRef } from '@nestjs/core'
import { InvalidSettingsError, type Middleware, setMiddleware, shown } from '../../index'

type Token = Type<Middleware> | InjectionToken<Middleware>

/** Adds the providers to the middleware of this process, within what is there. Gives what removes them. */
export function addMiddleware(tokens: readonly Token[], modules: ModuleRef): () => void {
  const added = tokens.map((token) => late(token, modules))
  const earlier = setMiddleware([])
  setMiddleware([...earlier, ...added])
  return () => {
    const all = setMiddleware([])
    setMiddleware(all.filter((each) => !added.includes(each)))
  }
}

/** @throws InvalidSettingsError for a token of which there is no provider that is one for all. */
export function assertMiddleware(tokens: readonly Token[], modules: ModuleRef): void {
  for (const token of tokens) {
    const { enqueue, run } = instanceOf(token, modules)
    if (typeof enqueue !== 'function' && typeof run !== 'function')
      throw new InvalidSettingsError(
        `TasksModule, middleware: ${nameOf(token)} has neither a method enqueue nor run.`,
        'Write run(context: RunContext, next: () => Promise<unknown>) { return next() }.',
      )
  }
}

/** Its instance is not there yet while the app is put together. */
function late(token: Token, modules: ModuleRef): Middleware {
  let found: Middleware | undefined
  const instance = (): Middleware => (found ??= instanceOf(token, modules))
  return {
    enqueue: (order, next) => {
      const middleware = instance()
      return middleware.enqueue ? middleware.enqueue(order, next) : next()
    },
    run: (context, next) => {
      const middleware = instance()
      return middleware.run ? middleware.run(context, next) : next()
    },
  }
}

function instanceOf(token: Token, modules: ModuleRef): Middleware {
  try {
    return modules.get<Middleware>(token, { strict: false })
  } catch (cause) {
    throw new InvalidSettingsError(
      `TasksModule, middleware: ${nameOf(token)} is no provider of the app, or not one for all.`,
      `List it among the providers of a module, without scope: Scope.${Scope[Scope.REQUEST]} or ${Scope[Scope.TRANSIENT]}.`,
      { cause },
    )
  }
}

function nameOf(token: Token): string {
  return typeof token === 'function' ? token.name : shown(token)
}
