/** Makes the folder of a run's temporary files; gives what removes it. */
export function openScratch(): () => void
