import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import type { ChangeName, Listed } from '../../api/wire'
import { pathOf, useAround, usePath } from '../frame/context'
import { live } from '../server/live'
import { WORDS } from '../words'
import { Bulk } from './bulk'
import { Buttons } from './buttons'
import { changesFor, changeTasks } from './changes'
import type { Filter } from './filter'
import type { Choice } from './table'

interface ChosenProps {
  readonly filter: Filter
  readonly tasks: readonly Listed[]
  readonly choice: Choice
}

/** What is done to the tasks that are chosen, or to all under the filter. */
export function Chosen({ filter, tasks, choice }: ChosenProps): JSX.Element | null {
  const { overview, backend } = useAround()
  const list = usePath('tasks', Object.fromEntries(filter))
  const [isBulk, setBulk] = useState(false)
  const { chosen, choose } = choice
  const those = tasks.filter(({ id }) => chosen.has(id))
  const changes = changesFor(overview.permissions, those.length > 0 ? those : tasks)
  if (changes.length === 0 && !isBulk) return null
  const path = (name: ChangeName): string => pathOf(`tasks/${name}`, backend.alias)
  return (
    <div class="bar chosen">
      {those.length > 0 ? (
        <>
          <b aria-live="polite">{WORDS.chosen(those.length)}</b>
          <Buttons
            changes={changes}
            count={those.length}
            make={(change, priority) =>
              void changeTasks(path, change, [...chosen], priority).then((isDone) => {
                if (!isDone) return
                choose([...chosen], false)
                void live.again(list)
              })
            }
          />
          <button type="button" class="plain" onClick={() => choose([...chosen], false)}>
            {WORDS.chooseNone}
          </button>
        </>
      ) : (
        <button type="button" class="plain" onClick={() => setBulk(true)}>
          {filter.size > 0 ? WORDS.allOfFilter : WORDS.allOfAll}
        </button>
      )}
      {isBulk ? <Bulk filter={filter} close={() => setBulk(false)} /> : null}
    </div>
  )
}
