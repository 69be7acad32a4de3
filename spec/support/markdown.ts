import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const repository = join(__dirname, '../..')

/** A block of code of a page. */
export interface Block {
  readonly language: string
  /** What follows the language: "ignore" for what only compiles with packages that the repository does not have. */
  readonly mark: string
  /** As it is copied into a file. */
  readonly text: string
  /** The file that the block's first line names, or the line above it: `package.json`, which has no comments. */
  readonly file: string | undefined
}

export function textOf(page: string): string {
  return readFileSync(join(repository, page), 'utf8')
}

/** The blocks of a page that name their language, in order. */
export function blocksOf(page: string): Block[] {
  const blocks = textOf(page).matchAll(/^(?:`([^`\n]+)`:\n\n)?```(\w+) ?(\w*)\n([\s\S]*?)^```/gm)
  return [...blocks].map(([, above, language = '', mark = '', text = '']) => ({
    language,
    mark,
    text,
    file: above ?? /^\/\/ ([\w./-]+\.(?:[mc]?[jt]s|json))$/m.exec(text.split('\n')[0] ?? '')?.[1],
  }))
}
