import type { JSX } from 'preact'
import type { FlowView, Listed } from '../../api/wire'
import { linkTo } from '../frame/place'
import { Excerpt } from '../parts/excerpt'
import { State } from '../parts/parts'
import { briefly, shown } from '../parts/shown'
import { WORDS } from '../words'

/** Boxes of one kind that are shown. */
const MOST_SHOWN = 12

/** The tasks around one in its flow. */
export function Flow({ flow }: { readonly flow: FlowView }): JSX.Element {
  const { before, beforeCount, beside, besideCount, after } = flow
  return (
    <section>
      <h2>{WORDS.flow}</h2>
      <div class="flow">
        <Boxes name={WORDS.before} tasks={before} count={beforeCount} />
        <Boxes name={WORDS.beside} tasks={beside} count={besideCount} />
        <Boxes name={WORDS.after} tasks={after} count={after.length} />
      </div>
    </section>
  )
}

interface BoxesProps {
  readonly name: string
  readonly tasks: readonly Listed[]
  readonly count: number
}

function Boxes({ name, tasks, count }: BoxesProps): JSX.Element | null {
  if (count === 0) return null
  const some = tasks.slice(0, MOST_SHOWN)
  return (
    <div>
      <h3>
        {name} <span class="faint">{count}</span>
      </h3>
      {some.map((task) => (
        <a key={task.id} class="box" href={linkTo(`tasks/${task.id}`)} title={shown(task.task)}>
          <State task={task} /> {briefly(task.task, 40)} <Excerpt task={task} />
        </a>
      ))}
      {count > some.length ? <p class="faint">{WORDS.moreOnes(count - some.length)}</p> : null}
    </div>
  )
}
