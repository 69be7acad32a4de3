import { TaskContext } from '#context'
import type { TaskResult } from '#result'
import type { Progress } from '../../lib/row/record'

/** What reaches the surroundings of a run for one note. */
function noteOf(note: string): string | null {
  const reports: Progress[] = []
  const context = new TaskContext({} as TaskResult<unknown>, {
    signal: new AbortController().signal,
    report: (progress) => void reports.push(progress),
  })
  // Without `this`, as in `async ({ reportProgress }) => …`.
  const { reportProgress } = context
  reportProgress(1, 2, note)
  return reports[0]!.note
}

describe('a progress note', () => {
  it('is cut after 1,000 characters', () => {
    expect(noteOf('x'.repeat(2_000))).toBe('x'.repeat(1_000))
  })

  it('is well-formed also where the cut falls into the middle of an emoji', () => {
    expect(noteOf(`${'x'.repeat(999)}😀`)).toBe(`${'x'.repeat(999)}\ufffd`)
  })

  it('holds no NUL, which PostgreSQL does not store', () => {
    expect(noteOf('a\u0000b')).toBe('a\\u0000b')
  })
})
