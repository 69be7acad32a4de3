import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import type { HistoryStepView, HistoryView } from '../../api/wire'
import { usePath } from '../frame/context'
import { minute, span } from '../parts/format'
import { Empty, Stale } from '../parts/parts'
import { useReadEach } from '../server/use'
import { WORDS } from '../words'
import { type Kind, Plot } from './plot'

/** The times that are offered: hours, and steps of a length that people count in. */
const SPANS = [
  { name: '1 h', hours: 1, steps: 60 },
  { name: '6 h', hours: 6, steps: 72 },
  { name: '24 h', hours: 24, steps: 96 },
  { name: '3 d', hours: 72, steps: 72 },
  { name: '14 d', hours: 336, steps: 84 },
] as const
type Span = (typeof SPANS)[number]

/** How tasks went, over a time that somebody chooses. */
export function Plots(): JSX.Element {
  const [chosen, choose] = useState<Span>(SPANS[0])
  const { hours, steps } = chosen
  const path = usePath('history', { hours: String(hours), steps: String(steps) })
  const { value, problem } = useReadEach<HistoryView>(path, hours === 1 ? 10_000 : 60_000)
  return (
    <section class="plots">
      <div class="tabs" role="group" aria-label={WORDS.span}>
        {SPANS.map((each) => (
          <button
            key={each.name}
            type="button"
            class="tab"
            aria-pressed={each === chosen}
            onClick={() => choose(each)}
          >
            {each.name}
          </button>
        ))}
      </div>
      <Stale problem={problem} />
      {value ? <Both steps={value.steps} /> : null}
    </section>
  )
}

function Both({ steps }: { readonly steps: readonly HistoryStepView[] }): JSX.Element {
  if (!steps.some(({ counts }) => Object.values(counts).some((number) => number > 0)))
    return <Empty what={WORDS.noHistory} />
  return (
    <>
      <div class="both">
        <Figure kind="throughput" title={WORDS.throughput} steps={steps} />
        {steps.some(({ wait, run }) => wait ?? run) ? (
          <Figure kind="spreads" title={WORDS.waitAndRun} steps={steps} />
        ) : null}
      </div>
      {steps.some(({ isEstimate }) => isEstimate) ? <p class="faint">{WORDS.estimates}</p> : null}
    </>
  )
}

interface FigureProps {
  readonly kind: Kind
  readonly title: string
  readonly steps: readonly HistoryStepView[]
}

function Figure({ kind, title, steps }: FigureProps): JSX.Element {
  const [at, look] = useState<number | null>(null)
  const step = steps[at ?? -1] ?? steps.at(-1)
  return (
    <figure>
      <figcaption aria-live="off">
        <b>{title}</b>
        {step ? <Readout kind={kind} step={step} isLast={step === steps.at(-1)} /> : null}
      </figcaption>
      <Plot kind={kind} title={title} steps={steps} at={at} look={look} />
    </figure>
  )
}

interface ReadoutProps {
  readonly kind: Kind
  readonly step: HistoryStepView
  readonly isLast: boolean
}

/** The values under the mouse, or else the latest; it is the key to the colours, too. */
function Readout({ kind, step, isLast }: ReadoutProps): JSX.Element {
  const { counts, wait, run, isEstimate } = step
  const ms = (value: number | undefined): string => (value === undefined ? '–' : span(value))
  const count = (value: number): string =>
    `${isEstimate ? WORDS.about : ''}${value.toLocaleString('en-US')}`
  const { SUCCESSFUL, FAILED, unfinished } = WORDS.outcomes
  const spreads = [wait?.p50, wait?.p95, run?.p50, run?.p95]
  const values: readonly (readonly [string, string])[] =
    kind === 'throughput'
      ? [
          [SUCCESSFUL, count(counts.SUCCESSFUL)],
          [FAILED, count(counts.FAILED)],
          [unfinished, count(counts.READY + counts.RUNNING)],
        ]
      : WORDS.spreads.map((name, i) => [name, ms(spreads[i])] as const)
  return (
    <span class={`key ${kind}`}>
      <span class="faint">
        {minute(step.from)}
        {isLast ? ` (${WORDS.filling})` : ''}
      </span>
      {values.map(([name, text]) => (
        <span key={name} class="entry">
          {name} <b>{text}</b>
        </span>
      ))}
    </span>
  )
}
