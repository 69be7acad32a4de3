import type {} from './global-setup'

/** Ends every server of the run and removes what it wrote. */
export default async function tearDown(): Promise<void> {
  await globalThis.specDesk?.close()
  globalThis.specDesk = undefined
  globalThis.closeScratch?.()
}
