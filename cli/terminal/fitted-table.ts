import { oneLine, withoutPasswords } from '../../lib/errors/foreign-text'
import { coloured, type Style } from './colour'
import { cutTo, fitTo, widthOf } from './width'

export interface Column {
  readonly title: string
  /** Of columns that do not fit, the one with the lowest rank is left out first. Absent: always there. */
  readonly rank?: number
  /** A column that may be cut; others are left out if it would become narrower than this. */
  readonly least?: number
}

export interface TableRow {
  readonly cells: readonly string[]
  /** What the row says beside its columns: the last column, or a line of its own where that does not fit. */
  readonly details: string
  readonly style?: { readonly at: number; readonly cell: Style; readonly details: Style }
}

export interface Look {
  /** The greatest width of a line. */
  readonly columns: number
  readonly isColoured: boolean
}

/** An error's first line may be of kilobytes. */
const MOST_DETAILS = 300
const GAP = '  '
const INDENT = '  '

/** Rows under a header in aligned columns. No line is wider than the terminal; text is made safe for it. */
export function fittedTable(
  columns: readonly Column[],
  rows: readonly TableRow[],
  look: Look,
): string {
  const safe = rows.map((row) => ({
    ...row,
    cells: row.cells.map(safeText),
    details: cutTo(MOST_DETAILS, safeText(row.details)),
  }))
  const widths = columns.map(({ title }, at) =>
    Math.max(widthOf(title), ...safe.map(({ cells }) => widthOf(cells[at] ?? ''))),
  )
  const details = Math.max(0, ...safe.map((row) => widthOf(row.details)))
  const all = columns.map((_, at) => at)
  const isBeside = lineWidth(all, widths) + GAP.length + details <= look.columns
  const shown = isBeside ? all : fitting(columns, safe, widths, look.columns)
  const header = shown.map((at) => fitTo(widths[at] ?? 0, columns[at]?.title ?? ''))
  const lines = [
    finished([...header, ...(isBeside && details > 0 ? ['details'] : [])].join(GAP), look),
    ...safe.flatMap((row) => linesOf(row, shown, widths, isBeside, look)),
  ]
  return lines.join('\n')
}

/** Which columns fit. Cuts the widths of those that may be cut: the last one first, each to its least, and then further. */
function fitting(
  columns: readonly Column[],
  rows: readonly TableRow[],
  widths: number[],
  most: number,
): number[] {
  const least = columns.map((column, at) => Math.min(column.least ?? Infinity, widths[at] ?? 0))
  const isEmpty = (at: number): boolean => rows.every(({ cells }) => !cells[at])
  const ranked = columns
    .map(({ rank }, at) => ({ at, rank: isEmpty(at) ? 0 : rank, isOptional: rank !== undefined }))
    .filter(({ isOptional }) => isOptional)
    .toSorted((a, b) => (a.rank ?? 0) - (b.rank ?? 0))
  let shown = columns.map((_, at) => at)
  for (const { at } of ranked)
    if (lineWidth(shown, least) > most) shown = shown.filter((each) => each !== at)
  const cut = shown.filter((at) => columns[at]?.least !== undefined).toReversed()
  for (const floors of [least, columns.map(() => 1)])
    for (const at of cut) {
      const [width = 0, floor = 0] = [widths[at], floors[at]]
      const surplus = Math.max(0, lineWidth(shown, widths) - most)
      widths[at] = Math.max(Math.min(width, floor), width - surplus)
    }
  return shown
}

function lineWidth(shown: readonly number[], widths: readonly number[]): number {
  return shown.reduce((sum, at) => sum + (widths[at] ?? 0), GAP.length * (shown.length - 1))
}

function linesOf(
  { cells, details, style }: TableRow,
  shown: readonly number[],
  widths: readonly number[],
  isBeside: boolean,
  look: Look,
): string[] {
  const paint = (text: string, wanted: Style | undefined): string =>
    look.isColoured ? coloured(text, wanted) : text
  const known = shown.map((at) => ({ at, text: fitTo(widths[at] ?? 0, cells[at] ?? '') }))
  const text = known.map((cell) => cell.text).join(GAP)
  const painted = known
    .map((cell) => (cell.at === style?.at ? paint(cell.text, style.cell) : cell.text))
    .join(GAP)
  // In a terminal narrower than the columns that are always there the line is cut, without colours.
  const line = widthOf(text.trimEnd()) > look.columns ? finished(text, look) : painted
  if (details === '') return [line.trimEnd()]
  if (isBeside) return [line + GAP + paint(details, style?.details)]
  const below = cutTo(look.columns - INDENT.length, details)
  return [line.trimEnd(), INDENT + paint(below, style?.details)]
}

function finished(line: string, { columns }: Look): string {
  return cutTo(columns, line.trimEnd())
}

function safeText(text: string): string {
  return oneLine(withoutPasswords(text))
}
