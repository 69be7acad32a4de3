import { isRecord } from '../errors/option-checks'

/** Where a span stands in its trace, as W3C Trace Context writes it. */
export interface TraceContext {
  /** `00-<trace id, 32 hex digits>-<span id, 16>-<flags, 2>`. */
  readonly traceparent: string
  /** What tracing systems add. Absent: nothing. */
  readonly tracestate?: string
}

/** A later version may add fields, which stand behind another `-`. */
const TRACEPARENT =
  /^(?!ff)[\da-f]{2}-(?!0{32})[\da-f]{32}-(?!0{16})[\da-f]{16}-[\da-f]{2}(?:-[\x21-\x7e]*)?$/
/** The most characters of either text. */
const MOST_CHARACTERS = 512

/** The context in which a row was enqueued, by its options; null for none, or if somebody else has written it badly. */
export function traceOf({ trace }: Readonly<Record<string, unknown>>): TraceContext | null {
  if (!isRecord(trace)) return null
  const { traceparent, tracestate } = trace
  if (!isTraceparent(traceparent)) return null
  const isSound =
    typeof tracestate === 'string' && tracestate !== '' && tracestate.length <= MOST_CHARACTERS
  return isSound ? { traceparent, tracestate } : { traceparent }
}

export function isTraceparent(value: unknown): value is string {
  return typeof value === 'string' && value.length <= MOST_CHARACTERS && TRACEPARENT.test(value)
}
