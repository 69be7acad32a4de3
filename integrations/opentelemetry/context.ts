import {
  createTraceState,
  isSpanContextValid,
  type Span,
  type SpanContext,
} from '@opentelemetry/api'
import type { TraceContext } from '../../index'

/** Written by hand: the app's propagator may be of another format, and adds baggage, which can hold what no row should. */
export function writtenOf(span: Span): TraceContext | undefined {
  const context = span.spanContext()
  if (!isSpanContextValid(context)) return undefined
  const { traceId, spanId, traceFlags, traceState } = context
  const flags = (traceFlags & 0xff).toString(16).padStart(2, '0')
  const traceparent = `00-${traceId}-${spanId}-${flags}`
  const tracestate = traceState?.serialize()
  return tracestate ? { traceparent, tracestate } : { traceparent }
}

/** Undefined for what names no span. */
export function spanContextOf(written: TraceContext | null): SpanContext | undefined {
  if (written === null) return undefined
  const [, traceId = '', spanId = '', flags = ''] = written.traceparent.split('-')
  const { tracestate } = written
  const context: SpanContext = {
    traceId,
    spanId,
    traceFlags: Number.parseInt(flags, 16) & 1,
    isRemote: true,
    ...(tracestate !== undefined && { traceState: createTraceState(tracestate) }),
  }
  return isSpanContextValid(context) ? context : undefined
}
