// Preloaded into a worker: its wall clock is wrong by CLOCK_SHIFT milliseconds, and can be moved on by globalThis.shiftClock.
const RealDate = Date
let shift = Number(process.env.CLOCK_SHIFT ?? 0)
globalThis.realNow = () => RealDate.now()
globalThis.shiftClock = (ms) => (shift += ms)

globalThis.Date = class Date extends RealDate {
  constructor(...given) {
    if (given.length === 0) super(RealDate.now() + shift)
    else super(...given)
  }

  static now() {
    return RealDate.now() + shift
  }
}
