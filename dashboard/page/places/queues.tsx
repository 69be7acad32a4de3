import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import type { QueueView } from '../../api/wire'
import { pathOf, useAround, useMay } from '../frame/context'
import { say } from '../frame/saying'
import { QueueTable } from '../overview/queue-table'
import { Dialog } from '../parts/dialog'
import { Empty } from '../parts/parts'
import { shown } from '../parts/shown'
import { post, problemOf } from '../server/api'
import { live } from '../server/live'
import { WORDS } from '../words'

/** For how long a queue can be paused; 0: until somebody resumes it. */
const TIMES = [
  ['0', WORDS.untilResumed],
  ['900000', '15 min'],
  ['3600000', '1 h'],
  ['14400000', '4 h'],
  ['86400000', '1 d'],
] as const

/** The queues, which may be paused and resumed. */
export function Queues(): JSX.Element {
  const { queues, noPauses } = useAround().backend
  const mayPause = useMay('queues')
  return (
    <>
      <h1>{WORDS.pages.queues}</h1>
      {queues?.length === 0 ? <Empty what={WORDS.noQueues} hint={WORDS.noQueuesHint} /> : null}
      {mayPause && noPauses ? (
        <p class="faint">
          {shown(noPauses.message)} {shown(noPauses.hint ?? '')}
        </p>
      ) : null}
      {queues && queues.length > 0 ? (
        <QueueTable
          queues={queues}
          {...(mayPause && { action: (queue: QueueView) => <PauseOrResume queue={queue} /> })}
        />
      ) : null}
    </>
  )
}

function PauseOrResume({ queue: { name, paused } }: { readonly queue: QueueView }): JSX.Element {
  const { backend } = useAround()
  const [isAsking, setAsking] = useState(false)
  const change = async (what: 'pause' | 'resume', body: object): Promise<void> => {
    try {
      await post(pathOf(`queues/${encodeURIComponent(name)}/${what}`, backend.alias), body)
      say(what === 'pause' ? WORDS.wasPaused(name) : WORDS.wasResumed(name))
      void live.again('overview')
    } catch (error) {
      const { message, hint } = problemOf(error)
      say(message, { isBad: true, details: hint ? [hint] : [] })
    }
  }
  if (paused)
    return (
      <button type="button" onClick={() => void change('resume', {})}>
        {WORDS.resume}
      </button>
    )
  return (
    <>
      <button
        type="button"
        disabled={backend.noPauses !== null}
        title={backend.noPauses ? shown(backend.noPauses.message) : undefined}
        onClick={() => setAsking(true)}
      >
        {WORDS.pause}
      </button>
      {isAsking ? (
        <PauseDialog
          queue={name}
          close={() => setAsking(false)}
          pause={(body) => void change('pause', body)}
        />
      ) : null}
    </>
  )
}

interface PauseDialogProps {
  readonly queue: string
  readonly close: () => void
  readonly pause: (body: { reason?: string; forMs?: number }) => void
}

function PauseDialog({ queue, close, pause }: PauseDialogProps): JSX.Element {
  const [reason, setReason] = useState('')
  const [time, setTime] = useState('0')
  const send = (event: Event): void => {
    event.preventDefault()
    close()
    pause({
      ...(reason.trim() && { reason: reason.trim() }),
      ...(time !== '0' && { forMs: Number(time) }),
    })
  }
  return (
    <Dialog title={WORDS.pauseTitle(shown(queue))} close={close}>
      <form onSubmit={send}>
        <p class="faint">{WORDS.pauseHint}</p>
        <label>
          {WORDS.reason}
          <input
            maxLength={200}
            value={reason}
            onInput={({ currentTarget }) => setReason(currentTarget.value)}
          />
        </label>
        <label>
          {WORDS.forTime}
          <select value={time} onChange={({ currentTarget }) => setTime(currentTarget.value)}>
            {TIMES.map(([ms, label]) => (
              <option key={ms} value={ms}>
                {label}
              </option>
            ))}
          </select>
        </label>
        <p class="bar end">
          <button class="first">{WORDS.pause}</button>
        </p>
      </form>
    </Dialog>
  )
}
