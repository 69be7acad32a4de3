import { metrics, ProxyTracerProvider, trace } from '@opentelemetry/api'

/** What a provider gives its tracers while there is no SDK. */
const NONE = new ProxyTracerProvider().getDelegate()

/** Tells whether there is no SDK that takes spans: one may be started later. Then nothing need be made for it. */
export function spansAreMute(): () => boolean {
  const provider = trace.getTracerProvider()
  return provider instanceof ProxyTracerProvider
    ? () => provider.getDelegate() === NONE
    : () => false
}

/** Whether there is no SDK that takes metrics. What is made before it is started stays mute for good. */
export function metricsAreMute(): boolean {
  // Without one all meters are the same.
  return metrics.getMeter('typeorm-tasks 1') === metrics.getMeter('typeorm-tasks 2')
}
