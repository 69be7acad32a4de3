// Writes the figures of RESULTS.md and RESULTS-REDIS.md into the docs: `node bench/figures.mjs`; with --check it only says whether they are the same.
import { readFileSync } from 'node:fs'
import { figuresIn, figuresPage, measuredFigures, writeFigures } from './lib/figures.mjs'

if (process.argv.includes('--check')) {
  const measured = measuredFigures()
  const told = figuresIn(readFileSync(figuresPage(), 'utf8'))
  if (told !== measured) {
    process.stderr.write(
      `${figuresPage()} has other figures than bench/RESULTS.md and bench/RESULTS-REDIS.md. Write them: node bench/figures.mjs\n`,
    )
    process.exitCode = 1
  }
} else {
  writeFigures()
}
