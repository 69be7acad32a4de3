import type { JSX } from 'preact'
import type { Whole } from '../../api/wire'
import { HIDDEN, Text } from '../parts/json'
import { shown } from '../parts/shown'
import { WORDS } from '../words'

/** The errors of a task, the newest first and open. */
export function Errors({
  task: { errors, errorCount },
}: {
  readonly task: Whole
}): JSX.Element | null {
  if (errors.length === 0) return null
  const lost = errorCount - errors.length
  return (
    <section>
      <h2>{WORDS.errors}</h2>
      {errors
        .map(({ exceptionClassPath, traceback }, i) => (
          <details key={lost + i} class="error" open={i === errors.length - 1}>
            <summary>
              {lost + i + 1}. <b class="bad">{shown(exceptionClassPath)}</b>
            </summary>
            {traceback === HIDDEN ? (
              <p class="faint">{WORDS.hidden}</p>
            ) : (
              <Text name="Traceback" text={traceback} />
            )}
          </details>
        ))
        .toReversed()}
      {lost > 0 ? <p class="faint">{WORDS.moreErrors(lost)}</p> : null}
    </section>
  )
}
