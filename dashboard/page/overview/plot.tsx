import type { JSX } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import type { HistoryStepView } from '../../api/wire'
import { counting, HEIGHT, LEFT, logarithmic, ofTime, type Scale, TOP, BOTTOM } from './scales'

export type Kind = 'throughput' | 'spreads'

interface PlotProps {
  readonly kind: Kind
  readonly title: string
  readonly steps: readonly HistoryStepView[]
  /** The step that is looked at. */
  readonly at: number | null
  readonly look: (index: number | null) => void
}

/** Drawn as shapes, so that colours are those of the style, and no script sets one. */
export function Plot({ kind, title, steps, at, look }: PlotProps): JSX.Element {
  const element = useRef<HTMLDivElement>(null)
  const width = useWidth(element)
  const times = steps.map(({ from }) => Date.parse(from))
  const [first = 0, second = 1] = times
  const length = second - first
  const x = ofTime(first, first + length * steps.length, width)
  const y =
    kind === 'throughput'
      ? counting(mostOf(steps))
      : logarithmic(
          spreadsOf(steps)
            .flat()
            .filter((ms) => ms !== null),
        )
  const pixels = x.at(first + length) - x.at(first)
  const pointAt = ({ offsetX }: { readonly offsetX: number }): void => {
    const index = Math.floor((offsetX - LEFT) / pixels)
    look(index >= 0 && index < steps.length ? index : null)
  }
  const onKey = (event: KeyboardEvent): void => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key]
    if (by === undefined) return
    event.preventDefault()
    look(Math.min(steps.length - 1, Math.max(0, (at ?? steps.length - 1) + by)))
  }
  return (
    <div
      ref={element}
      class="canvas"
      role="group"
      aria-label={title}
      tabIndex={0}
      onKeyDown={onKey}
    >
      <svg
        width={width}
        height={HEIGHT}
        aria-hidden="true"
        onPointerMove={pointAt}
        onPointerLeave={() => look(null)}
      >
        <Lines x={x} y={y} width={width} />
        {kind === 'throughput' ? (
          <Bars steps={steps} x={x} y={y} width={pixels} />
        ) : (
          <Curves steps={steps} x={x} y={y} offset={pixels / 2} />
        )}
        <Marks steps={steps} x={x} width={pixels} at={at} />
      </svg>
    </div>
  )
}

/** The least width that is drawn, in pixels. */
const LEAST = 2 * LEFT

function useWidth(element: { readonly current: HTMLElement | null }): number {
  const [width, setWidth] = useState(600)
  useEffect(() => {
    const { current } = element
    if (!current) return
    // While it is laid out anew it may have no width for a moment.
    const watcher = new ResizeObserver(() => setWidth(Math.max(LEAST, current.clientWidth)))
    watcher.observe(current)
    return () => watcher.disconnect()
  }, [])
  return width
}

interface Axes {
  readonly x: Scale
  readonly y: Scale
}

function Lines({ x, y, width }: Axes & { readonly width: number }): JSX.Element {
  return (
    <g class="lines">
      {y.ticks.map(({ at, label }) => (
        <g key={label}>
          <path d={`M${LEFT} ${at}H${width}`} />
          <text x={LEFT - 6} y={at + 4} text-anchor="end">
            {label}
          </text>
        </g>
      ))}
      {x.ticks.map(({ at, label }) => (
        <text key={at} x={at} y={HEIGHT - 4} text-anchor={at > width - 20 ? 'end' : 'middle'}>
          {label}
        </text>
      ))}
    </g>
  )
}

type BarsProps = Axes & { readonly steps: readonly HistoryStepView[]; readonly width: number }

/** Outcomes upon each other, the successful ones at the bottom. */
function Bars({ steps, x, y, width }: BarsProps): JSX.Element {
  const bar = Math.max(1, width * 0.82)
  const layer = (of: (step: HistoryStepView) => readonly [number, number]): string =>
    steps
      .map((step) => {
        const [low, high] = of(step)
        if (low === high) return ''
        return `M${x.at(Date.parse(step.from))} ${y.at(low)}V${y.at(high)}h${bar}V${y.at(low)}z`
      })
      .join('')
  return (
    <>
      <path class="series SUCCESSFUL" d={layer(({ counts }) => [0, counts.SUCCESSFUL])} />
      <path
        class="series FAILED"
        d={layer(({ counts }) => [counts.SUCCESSFUL, counts.SUCCESSFUL + counts.FAILED])}
      />
      <path
        class="series LATER"
        d={layer((step) => [step.counts.SUCCESSFUL + step.counts.FAILED, sumOf(step)])}
      />
    </>
  )
}

type CurvesProps = Axes & { readonly steps: readonly HistoryStepView[]; readonly offset: number }

/** Fewer steps in a row than this make no line: they are dots. */
const LEAST_LINE = 3
/** The radius of a dot, in pixels. */
const DOT = 2.2

type Point = readonly [x: number, y: number]

/** A step without a value ends a line; the last one, which is still filling, stands alone: its values say little so far. */
function Curves({ steps, x, y, offset }: CurvesProps): JSX.Element {
  const values = spreadsOf(steps)
  const rows = (index: number): Point[][] =>
    steps.reduce<Point[][]>(
      (all, { from }, i) => {
        const ms = values[i]?.[index] ?? null
        if (ms === null) return [...all, []]
        if (i === steps.length - 1) all.push([])
        all.at(-1)?.push([x.at(Date.parse(from)) + offset, y.at(ms)])
        return all
      },
      [[]],
    )
  return (
    <>
      {['LATER', 'LATER high', 'RUNNING', 'RUNNING high'].map((name, i) => {
        const isLine = (row: readonly Point[]): boolean => row.length >= LEAST_LINE
        const all = rows(i)
        const dots = all.filter((row) => !isLine(row)).flat()
        return (
          <>
            <path class={`curve ${name}`} d={all.filter(isLine).map(lineOf).join('')} />
            <path class={`dots ${name}`} d={dots.map(dotAt).join('')} />
          </>
        )
      })}
    </>
  )
}

function lineOf(points: readonly Point[]): string {
  return `M${points.map((point) => point.join(' ')).join('L')}`
}

function dotAt([x, y]: Point): string {
  const half = `a${DOT} ${DOT} 0 1 0`
  return `M${x - DOT} ${y}${half} ${2 * DOT} 0${half} ${-2 * DOT} 0`
}

interface MarksProps {
  readonly steps: readonly HistoryStepView[]
  readonly x: Scale
  readonly width: number
  readonly at: number | null
}

/** The step that is still filling is veiled and has a dashed edge; estimates have a dot on top. */
function Marks({ steps, x, width, at }: MarksProps): JSX.Element {
  const left = (index: number): number => x.at(Date.parse(steps[index]?.from ?? ''))
  const bottom = HEIGHT - BOTTOM
  const last = steps.length - 1
  return (
    <>
      <rect class="veil" x={left(last)} y={TOP} width={width} height={bottom - TOP} />
      <path class="filling" d={`M${left(last)} ${TOP}V${bottom}`} />
      {steps.map(({ isEstimate, from }, i) =>
        isEstimate ? (
          <circle key={from} class="estimate" cx={left(i) + width / 2} cy={TOP} r="1.5" />
        ) : null,
      )}
      {at === null ? null : (
        <rect class="at" x={left(at)} y={TOP} width={width} height={bottom - TOP} />
      )}
    </>
  )
}

function mostOf(steps: readonly HistoryStepView[]): number {
  return Math.max(...steps.map(sumOf))
}

function sumOf({ counts }: HistoryStepView): number {
  return counts.SUCCESSFUL + counts.FAILED + counts.READY + counts.RUNNING
}

function spreadsOf(steps: readonly HistoryStepView[]): (number | null)[][] {
  return steps.map(({ wait, run }) =>
    [wait?.p50, wait?.p95, run?.p50, run?.p95].map((ms) => ms ?? null),
  )
}
