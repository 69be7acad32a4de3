/** The options of this library's backends, by the path in BACKEND. Filled where those paths are registered. */
// oxlint-disable-next-line typescript/no-empty-interface -- filled by index
export interface OptionsByPath {}

/** Any text; with those of this library by name, so that the compiler keeps what is written there, and editors offer them. */
export type BackendPath = keyof OptionsByPath | (string & {})

/** A compile error with words in it: which key of TASKS is not known. */
export interface UnknownKey<Where extends string> {
  readonly 'TASKS has no such key': Where
}

type EntryKey = 'BACKEND' | 'QUEUES' | 'OPTIONS'

/** Nothing but known keys in each entry of TASKS, and in OPTIONS where BACKEND is the path of a backend of this library. */
export type KnownKeys<Settings> = {
  readonly [Alias in keyof Settings]: Only<Settings[Alias], EntryKey, `TASKS.${Alias & string}`> &
    KnownOptions<Settings[Alias], `TASKS.${Alias & string}.OPTIONS`>
}

type KnownOptions<Entry, Path extends string> = Entry extends {
  readonly BACKEND: infer Backend extends keyof OptionsByPath
  readonly OPTIONS: infer Options
}
  ? { readonly OPTIONS: Only<Options, keyof OptionsByPath[Backend], Path> }
  : unknown

type Only<Given, Known, Path extends string> = {
  readonly [Key in Exclude<keyof Given, Known>]: UnknownKey<`${Path}.${Key & string}`>
}
