import { Script } from 'node:vm'
import { InvalidTaskError } from '#errors'
import { task } from '#define'
import { tasks } from '#registry'

/** As the command line has it: it evaluates each file of the app once. */
describe('in the command line a second task of one name', () => {
  beforeAll(() => tasks.refuseOthers())
  beforeEach(() => tasks.clear())
  afterAll(() => tasks.refuseOthers(false))

  it('of another file is refused, with both places, and the first one stays', () => {
    evaluated('/app/one.js', "task('a.b', () => 1)")
    const first = tasks.get('a.b')

    const other = (): void => evaluated('/app/two (x).mjs', "\ntask('a.b', () => 2)")

    expect(other).toThrow(InvalidTaskError)
    expect(other).toThrow(
      'Two tasks are named "a.b": /app/one.js:1 and /app/two (x).mjs:2. Rename one of them.',
    )
    expect(tasks.get('a.b')).toBe(first)
  })

  it.each([
    ['one file', "task('a.b', () => 1)\ntask('a.b', () => 2)", 'bundle.js:1 and /app/bundle.js:2'],
    [
      'one line, as in a minified bundle',
      "task('a.b', () => 1); task('a.b', () => 2)",
      'bundle.js:1:1 and /app/bundle.js:1:23',
    ],
    [
      'one function of the app that defines tasks',
      "function define(name) { task(name, () => 1) }\ndefine('a.b')\ndefine('a.b')",
      'bundle.js:2 and /app/bundle.js:3',
    ],
    [
      'decorators of one class',
      "const mark = () => task('a.b')(class {}, 'run', { value: () => 1 })\nmark()\nmark()",
      'bundle.js:2 and /app/bundle.js:3',
    ],
  ])('in %s is refused', (_, text, places) => {
    expect(() => evaluated('/app/bundle.js', text)).toThrow(places)
  })

  it('at the same place replaces the first: the file was evaluated again', () => {
    const file = "\nfunction define(name) { task(name, () => 1) }\ndefine('a.b')"
    const made = ['first', 'second'].map((load) => {
      evaluated(`file:///app/tasks.mjs?${load}`, file)
      return tasks.get('a.b')
    })

    expect(tasks.get('a.b')).toBe(made[1])
    expect(made[1]).not.toBe(made[0])
  })

  it('is told from the first one also where the app keeps no stack traces', () => {
    const { stackTraceLimit } = Error
    Error.stackTraceLimit = 0
    try {
      expect(() =>
        evaluated('/app/bundle.js', "task('a.b', () => 1)\ntask('a.b', () => 2)"),
      ).toThrow('/app/bundle.js:2')
      expect(Error.stackTraceLimit).toBe(0)
    } finally {
      Error.stackTraceLimit = stackTraceLimit
    }
  })
})

/** Runs the text as a file of that name, which a module loader of Node's would evaluate. */
function evaluated(filename: string, text: string): void {
  const script = new Script(`(task) => {${text}\n}`, {
    filename,
    columnOffset: -'(task) => {'.length,
  })
  const file = script.runInThisContext() as (given: typeof task) => void
  file(task)
}
