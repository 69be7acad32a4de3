import type { JSX } from 'preact'
import type { Listed } from '../../api/wire'
import { shown } from './shown'

/** What a task was called with, in what is left of a line. */
export function Excerpt({
  task: { excerpt },
}: {
  readonly task: Pick<Listed, 'excerpt'>
}): JSX.Element | null {
  if (excerpt === null) return null
  return (
    <span class="excerpt" title={shown(excerpt)}>
      {shown(excerpt)}
    </span>
  )
}

/** What its latest attempt failed with, as far as somebody may see it. */
export function Failure({
  task: { error, headline },
}: {
  readonly task: Pick<Listed, 'error' | 'headline'>
}): JSX.Element | null {
  const text = headline ?? error
  if (text === null || text === '') return null
  return (
    <small class="bad excerpt" title={shown(text)}>
      {shown(text)}
    </small>
  )
}
