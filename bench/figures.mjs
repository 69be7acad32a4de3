// Writes the figures of RESULTS.md into the docs: `node bench/figures.mjs`; with --check it only says whether they are the same.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { figuresIn, figuresOf, figuresPage, writeFigures } from './lib/figures.mjs'
import { bench } from './lib/prepare.mjs'

if (process.argv.includes('--check')) {
  const measured = figuresOf(readFileSync(join(bench, 'RESULTS.md'), 'utf8'))
  const told = figuresIn(readFileSync(figuresPage(), 'utf8'))
  if (told !== measured) {
    process.stderr.write(
      `${figuresPage()} has other figures than bench/RESULTS.md. Write them: node bench/figures.mjs\n`,
    )
    process.exitCode = 1
  }
} else {
  writeFigures()
}
