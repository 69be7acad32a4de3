import type { Wakeup } from '../../../lib/store'
import type { Client, Connection } from '../connection'
import { parsed } from '../../parsed'
import { isRecord } from '../../../lib/errors/option-checks'

/** Tells workers of what was written. Nobody waits for it: what is missed is found at the next look. */
export function tell({ client, names }: Connection, wakeup: Wakeup): void {
  void client.publish(names.wakeups, JSON.stringify(wakeup)).catch(() => {})
}

/**
 * Hears what others tell, by a client of its own, which can do nothing else meanwhile. Resolves to what ends that. It connects
 * again by itself.
 */
export function listen(
  client: Client,
  channel: string,
  hear: (wakeup: Wakeup) => void,
): () => void {
  client.on('message', (_channel: string, text: string) => {
    const wakeup = parsed(text)
    if (isRecord(wakeup) && typeof wakeup['what'] === 'string') hear(wakeup as unknown as Wakeup)
  })
  void client.subscribe(channel).catch(() => {})
  return () => client.disconnect()
}
