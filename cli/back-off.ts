const FIRST = 100
const LONGEST = 30_000
/** Who was at work for so long was sound: the next death is a new story. */
const SOUND_AFTER = 10_000

/** How long to wait before what died is started again: longer each time, and never quite the same. */
export class BackOff {
  #deaths = 0

  /** Milliseconds, after a death that came so many milliseconds after the beginning of work. */
  after(worked: number): number {
    if (worked >= SOUND_AFTER) this.#deaths = 0
    const full = Math.min(LONGEST, FIRST * 2 ** this.#deaths++)
    return full * (0.5 + Math.random() / 2)
  }
}
