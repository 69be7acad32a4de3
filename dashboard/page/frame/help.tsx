import type { JSX } from 'preact'
import { Dialog } from '../parts/dialog'
import { WORDS } from '../words'

/** The keys. */
export function Help({ close }: { readonly close: () => void }): JSX.Element {
  return (
    <Dialog title={WORDS.keysTitle} close={close}>
      <dl>
        {WORDS.keys.map(([key, what]) => (
          <>
            <dt>
              {key.split(', ').map((each) => (
                <kbd key={each}>{each}</kbd>
              ))}
            </dt>
            <dd>{what}</dd>
          </>
        ))}
      </dl>
    </Dialog>
  )
}
