import type { ChangeName, Permission, State, Status } from '../api/wire'

/** What the page says, in one place. */
export const WORDS = {
  pages: {
    overview: 'Overview',
    tasks: 'Tasks',
    queues: 'Queues',
    workers: 'Workers',
    schedules: 'Schedules',
  },
  reading: 'Reading…',
  skip: 'Skip to the content',
  backend: 'Backend',
  modes: { starting: 'connecting', live: 'live', polling: 'polling', away: 'away' },
  modeTitles: {
    starting: 'Waiting for the first answer.',
    live: 'Changes are shown as they happen.',
    polling: 'Read again each 5 s: events do not come through. A proxy may hold them back.',
    away: 'Tried again each 5 s.',
  },
  serverAway: 'The server does not answer.',
  unreadable: 'cannot be read',
  unreadableTitle: 'What keeps it from being read stands above. Tried again each 5 s.',
  answered: (status: number) => `The server answered ${status}.`,
  noJson: 'The server answered with something that is not JSON.',
  justNow: 'just now',
  ago: (span: string) => `${span} ago`,
  inTime: (span: string) => `in ${span}`,
  copy: 'Copy',
  copied: 'Copied',
  close: 'Close',
  back: 'Back',
  keep: 'No, keep',
  no: 'No',
  hidden: 'You may not see values: the permission “values” is missing.',

  notServed: 'No worker serves it',
  notServedHint: 'Start one that does: npx tasks worker',
  paused: 'paused',
  noQueues: 'No queue has tasks yet.',
  noQueuesHint: 'What your app enqueues appears here.',
  oldest: (span: string) => `oldest ${span}`,

  span: 'Time shown',
  throughput: 'Tasks by the time they were enqueued',
  waitAndRun: 'Time to wait and to run',
  estimates: 'Dotted on top: estimates, since only some tasks of that time were looked at.',
  filling: 'still filling',
  noHistory: 'No task was enqueued in this time.',
  about: 'about ',
  outcomes: { SUCCESSFUL: 'successful', FAILED: 'failed', unfinished: 'not finished' },
  spreads: ['wait p50', 'wait p95', 'run p50', 'run p95'],

  all: 'All',
  filter: 'Filter',
  search: 'Search',
  filterPlaceholder: 'queue:mail  task:send  args.user.id=7  text',
  moreFilters: 'More filters',
  addFilter: 'Apply',
  removeFilter: (name: string) => `Remove the filter ${name}`,
  clear: 'Clear all',
  badFilter: (text: string) => `“${text}” is no filter.`,
  badState: (text: string) => `“${text}” is no state.`,
  badTime: (text: string) => `“${text}” is no time.`,
  didYouMean: (text: string) => `Did you mean ${text}?`,
  filters: (names: readonly string[]) =>
    `Write ${names.map((name) => `${name}:`).join(', ')} and a value; args.path=value; or a text.`,
  states: (names: readonly string[]) => `There are ${names.join(', ')}.`,
  times:
    'Write how long ago, such as from:30m, from:2h or from:3d, or an instant, such as from:2030-01-31T18:00.',
  notApplied: 'The list does not show what is written above. Enter applies it.',
  notShown: (text: string) => `The list does not show “${text}”.`,
  forget: 'Clear the field',
  noTasks: 'No tasks yet.',
  noTasksHint: 'What your app enqueues appears here.',
  noneFound: 'No task is like that.',
  noneFoundHint: 'Remove a part of the filter.',
  wholeNames: (names: readonly string[]) =>
    `${names.map((name) => `${name}:`).join(', ')} ${names.length === 1 ? 'compares' : 'compare'} whole names.`,
  newOnes: (count: number) => `${count} new`,
  more: 'Older tasks',
  searchedTo: (instant: string) => `Searched back to ${instant}.`,
  searchOn: 'Search on',
  end: 'No older ones.',
  choose: (name: string) => `Choose ${name}`,
  chooseAll: 'Choose all shown',
  chosen: (count: number) => `${count} chosen`,
  allOfFilter: 'All under this filter…',
  allOfAll: 'All tasks…',
  chooseNone: 'None',
  priority: 'Priority',
  setPriority: 'Set priority',
  priorities: 'Priority, from -100 to 100: a task of a higher one runs first',

  bulkTitle: 'All tasks under this filter',
  bulkTitleOfAll: 'All tasks',
  noFilter: 'There is no filter.',
  counting: (count: number) => `Counting: ${count} so far…`,
  counted: (count: number, isAll: boolean) =>
    `${isAll ? '' : 'At least '}${count === 1 ? '1 task is' : `${count} tasks are`} like that now.`,
  atMost: 'Change at most',
  stop: 'Stop',
  stopped: 'stopped',
  bulkDone: 'done',
  whatRefused: (count: number) => `${count} refused`,

  arguments: 'Arguments',
  kwargs: 'Keyword arguments',
  result: 'Result',
  errors: 'Errors',
  moreErrors: (count: number) => `${count} earlier ones were not kept.`,
  timeline: 'Timeline',
  flow: 'Flow',
  latest: 'Latest of this task',
  before: 'Before it',
  beside: 'Beside it',
  after: 'After it',
  moreOnes: (count: number) => `and ${count} more`,
  showAll: (lines: number) => `Show all ${lines} lines`,
  showCharacters: (count: number) => `Show all ${count.toLocaleString('en-US')} characters`,
  noTask: 'Back to all tasks',
  left: (span: string) => `about ${span} left`,
  perSecond: (speed: string) => `${speed}/s`,
  enqueued: 'Enqueued',
  due: 'Due',
  attempt: (number: number) => `Attempt ${number}`,
  finished: 'Finished',
  onWorker: 'worker',
  lost: 'worker lost',
  isRunning: 'running',
  waitsForFlow: 'Waits for earlier tasks of its flow',

  pause: 'Pause',
  resume: 'Resume',
  pauseTitle: (queue: string) => `Pause the queue ${queue}`,
  pauseHint: 'Workers leave it alone. What runs goes on; what is enqueued waits.',
  reason: 'Reason',
  forTime: 'For',
  untilResumed: 'until somebody resumes it',
  pausedUntil: (instant: string) => `until ${instant}`,
  wasPaused: (queue: string) => `${queue} is paused.`,
  wasResumed: (queue: string) => `${queue} is resumed.`,

  noWorkers: 'No worker is at work.',
  noWorkersHint: 'Start one: npx tasks worker',
  gone: 'lost',
  allQueues: 'all queues',
  but: (queues: string) => `all but ${queues}`,
  moreRunning: (count: number) => `and ${count} more`,

  noSchedules: 'This process has no schedules.',
  noSchedulesHint:
    'Define one with schedule(task, { … }), and import its module where the dashboard is mounted.',
  off: 'switched off',
  runNow: 'Run now',
  askRun: (name: string) => `Run ${name} now? One task is enqueued, due at once.`,
  fired: (name: string) => `${name}: a run is enqueued.`,
  seeTask: 'See the task',
  next: 'Next',
  last: 'Last',
  never: 'no slot so far',

  keysTitle: 'Keys',
  keys: [
    ['/', 'to the filter'],
    ['g o, g t, g q, g w, g s', 'Overview, Tasks, Queues, Workers, Schedules'],
    ['j, k', 'next, previous task'],
    ['x', 'choose the task, or not'],
    ['Enter', 'open the task'],
    ['Escape', 'close; back to the list'],
    ['?', 'these keys'],
  ],
} as const

export const STATE_WORDS: Readonly<Record<State, string>> = {
  READY: 'ready',
  DUE: 'due',
  LATER: 'later',
  WAITING: 'waiting',
  RUNNING: 'running',
  FAILED: 'failed',
  SUCCESSFUL: 'successful',
}

/** What can be done to tasks: its name, the permission, and the status they must have. */
export const CHANGES: readonly {
  readonly name: ChangeName
  readonly label: string
  readonly done: (count: number) => string
  readonly needs: Permission
  readonly of: readonly Status[]
  /** What is asked first; absent: it can be undone, or does no harm. */
  readonly ask?: (count: number) => string
}[] = [
  {
    name: 'retry',
    label: 'Retry',
    done: (count) => `${count} retried`,
    needs: 'retry',
    of: ['FAILED'],
  },
  {
    name: 'cancel',
    label: 'Cancel',
    done: (count) => `${count} cancelled`,
    needs: 'cancel',
    of: ['READY', 'RUNNING'],
    ask: (count) => (count === 1 ? 'Cancel this task?' : `Cancel ${count} tasks?`),
  },
  {
    name: 'copy',
    label: 'Run again',
    done: (count) => `${count} enqueued again`,
    needs: 'run',
    of: ['READY', 'RUNNING', 'FAILED', 'SUCCESSFUL'],
    ask: (count) =>
      count === 1
        ? 'Run this task again? A new one is enqueued, with the same arguments.'
        : `Run ${count} tasks again? As many new ones are enqueued, with the same arguments.`,
  },
  {
    name: 'prioritise',
    label: 'Priority',
    done: (count) => `Priority set: ${count}`,
    needs: 'run',
    of: ['READY'],
  },
  {
    name: 'delete',
    label: 'Delete',
    done: (count) => `${count} deleted`,
    needs: 'delete',
    of: ['READY', 'FAILED', 'SUCCESSFUL'],
    ask: (count) =>
      count === 1
        ? 'Delete this task? It cannot be brought back.'
        : `Delete ${count} tasks? They cannot be brought back.`,
  },
]
