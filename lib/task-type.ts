/**
 * The class of tasks by name. Tasks are built on results, backends and the registry, which name the class in their types;
 * `tasks/task` enters it here, so that none of them has to import what stands on it.
 */
// oxlint-disable-next-line typescript/no-empty-interface, no-unused-vars -- filled by tasks/task
export interface TaskTypes<Args extends unknown[], Return> {}

/** The class `Task` of tasks/task. */
export type Task<Args extends unknown[], Return> =
  TaskTypes<Args, Return> extends {
    readonly task: infer Class
  }
    ? Class
    : never

/** Any task, whatever its arguments and its return value. */
export type AnyTask = Task<unknown[], unknown>
