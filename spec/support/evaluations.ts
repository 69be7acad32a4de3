import type * as typeorm from 'typeorm'
import type * as library from 'typeorm-tasks'

/** The library and TypeORM, both evaluated once more in this process, as bundlers do it for each chunk. */
export interface Evaluation {
  readonly library: typeof library
  readonly typeorm: typeof typeorm
}

export function anotherEvaluation(): Evaluation {
  let made: Evaluation | undefined
  jest.isolateModules(() => {
    made = {
      library: jest.requireActual<typeof library>('typeorm-tasks'),
      typeorm: jest.requireActual<typeof typeorm>('typeorm'),
    }
  })
  return made!
}
