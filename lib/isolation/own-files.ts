import { existsSync } from 'node:fs'
import { sep } from 'node:path'
import { NotSupportedError } from '../errors/errors'

/** In a bundle that is the folder of the bundle, or, in one of ES modules, nothing. */
const FOLDER = typeof __dirname === 'string' ? __dirname : ''

/**
 * A file of this folder that another process or thread runs. The parts of the path are in a list, because bundlers that read
 * `join(__dirname, 'name.js')` look for that file when they build, and fail or copy it without the files that it loads.
 */
export function ownFile(name: string): string {
  return [FOLDER, `${name}.js`].join(sep)
}

/** Isolated tasks need files of the library, which a bundle does not have. @throws NotSupportedError */
export function assertOwnFiles(): void {
  // The second one shows that the first is no copy that a bundler has made.
  if (['child-main', '../backend-registry'].map(ownFile).every((file) => existsSync(file))) return
  throw new NotSupportedError(
    'Isolated tasks cannot run here: the library is in a bundle, without its file child-main.js that child processes start with.',
    'Leave typeorm-tasks external and install it beside the bundle: external: ["typeorm-tasks"] (esbuild), externals: { "typeorm-tasks": "commonjs typeorm-tasks" } (webpack), --external typeorm-tasks (ncc), serverExternalPackages: ["typeorm-tasks"] (Next.js).',
  )
}
