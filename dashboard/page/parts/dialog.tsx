import type { ComponentChildren, JSX } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { WORDS } from '../words'

interface DialogProps {
  readonly title: string
  readonly close: () => void
  readonly children: ComponentChildren
}

/** The browser keeps the focus in it, and closes it by Escape. */
export function Dialog({ title, close, children }: DialogProps): JSX.Element {
  const element = useRef<HTMLDialogElement>(null)
  useEffect(() => element.current?.showModal(), [])
  return (
    <dialog ref={element} aria-label={title} onClose={close}>
      <h2>
        {title}
        <button type="button" class="plain" aria-label={WORDS.close} onClick={close}>
          ×
        </button>
      </h2>
      {children}
    </dialog>
  )
}

interface ConfirmProps extends Omit<DialogProps, 'children'> {
  readonly label: string
  /** What it does cannot be undone. */
  readonly isGrave: boolean
  readonly yes: () => void
}

/** Asks before what cannot be undone, or has effects of its own. */
export function Confirm({ title, label, isGrave, yes, close }: ConfirmProps): JSX.Element {
  return (
    <Dialog title={title} close={close}>
      <p class="bar end">
        <button type="button" onClick={close}>
          {isGrave ? WORDS.keep : WORDS.no}
        </button>
        <button
          type="button"
          class={isGrave ? 'danger' : 'first'}
          onClick={() => {
            close()
            yes()
          }}
        >
          {label}
        </button>
      </p>
    </Dialog>
  )
}
