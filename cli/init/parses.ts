import { spawnSync } from 'node:child_process'
import type { App } from '../app/load-app'
import { compilerOf } from '../typescript/compiler'

/** Whether a new text of a file can be compiled: by the app's own compiler, or by Node if it is JavaScript. */
export function parses(file: string, text: string, { language, modules }: App): boolean {
  if (language === 'js') return isJavaScript(text, modules)
  try {
    compilerOf(file)?.(text, file)
    return true
  } catch {
    return false
  }
}

function isJavaScript(text: string, modules: App['modules']): boolean {
  const type = modules === 'esm' ? 'module' : 'commonjs'
  const checked = spawnSync(process.execPath, ['--check', `--input-type=${type}`, '-'], {
    input: text,
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  return checked.status === 0
}
