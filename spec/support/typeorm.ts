import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** The version of TypeORM that this spec file runs on. */
export const typeormVersion: string = versionOf(require.resolve('typeorm'))

/** The environment that makes a Node child process use the same TypeORM as this spec file. */
export function typeormEnv(): NodeJS.ProcessEnv {
  if (!typeormVersion.startsWith('0.3.')) return { ...process.env, TYPEORM: '1' }
  const preload = `--require ${JSON.stringify(join(__dirname, 'typeorm-version.cjs'))}`
  return {
    ...process.env,
    TYPEORM: '0.3',
    NODE_OPTIONS: `${process.env['NODE_OPTIONS'] ?? ''} ${preload}`.trim(),
  }
}

function versionOf(file: string): string {
  const { version } = JSON.parse(readFileSync(join(dirname(file), 'package.json'), 'utf8')) as {
    version: string
  }
  return version
}
