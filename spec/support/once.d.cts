/** Gives a folder that the first who asks fills; others wait until it is full. */
export function onceForRun(name: string, fill: (folder: string) => void): string
