/** As much of class-transformer as is asked of it. */
export interface ClassTransformer {
  plainToInstance(Class: new () => object, plain: object): object
  instanceToPlain(instance: object): object
}

/** The app's class-transformer; undefined where it has none. Looked for when first needed, since most tasks list no classes. */
export function classTransformer(): ClassTransformer | undefined {
  found ??= { module: load() }
  return found.module
}

let found: { readonly module: ClassTransformer | undefined } | undefined

function load(): ClassTransformer | undefined {
  try {
    return require('class-transformer') as ClassTransformer
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

/** One that is there and cannot be loaded is another matter, which must not pass for its absence. */
function isMissing(error: unknown): boolean {
  return (
    typeof error === 'object' &&
    error !== null &&
    'code' in error &&
    error.code === 'MODULE_NOT_FOUND' &&
    'message' in error &&
    String(error.message).includes("'class-transformer'")
  )
}
