/** `work`, done when it is first asked for, and not again. */
export function once<T>(work: () => T): () => T {
  let done: { value: T } | undefined
  return () => (done ??= { value: work() }).value
}
