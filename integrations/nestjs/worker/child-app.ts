import { NestFactory } from '@nestjs/core'

const self = { isChild: false }

/** Whether this process is one of isolated tasks. */
export function isChildApp(): boolean {
  return self.isChild
}

type Module = Parameters<typeof NestFactory.createApplicationContext>[0]

/**
 * What the file of the module exports as `prepare`, so that isolated tasks of a worker in the app's own process find the app:
 *
 * ```ts
 * export const prepare = childApp(() => AppModule)
 * // and among the worker's options: isolation: { module: __filename }
 * ```
 */
export function childApp(module: () => Module): () => Promise<() => Promise<void>> {
  return async () => {
    self.isChild = true
    const app = await NestFactory.createApplicationContext(module(), {
      logger: ['warn', 'error', 'fatal'],
      abortOnError: false,
    })
    return () => app.close()
  }
}
