/** The conventions of OpenTelemetry for messaging, of August 2026 (status: development). Their package has 10 MB, and these are ten names. */
export const SYSTEM = 'messaging.system'
export const OPERATION = 'messaging.operation.name'
export const OPERATION_TYPE = 'messaging.operation.type'
export const DESTINATION = 'messaging.destination.name'
export const MESSAGE_ID = 'messaging.message.id'
export const BATCH_COUNT = 'messaging.batch.message_count'
export const ERROR_TYPE = 'error.type'
export const EXCEPTION = 'exception'
export const EXCEPTION_TYPE = 'exception.type'
export const EXCEPTION_STACK = 'exception.stacktrace'

/** Ours. */
export const SYSTEM_NAME = 'typeorm_tasks'
export const TASK = 'typeorm_tasks.task'
export const ATTEMPT = 'typeorm_tasks.attempt'
export const OUTCOME = 'typeorm_tasks.outcome'
export const LATENESS_MS = 'typeorm_tasks.lateness_ms'

/** The name of the instrumentation, by which backends group spans and metrics. */
export const SCOPE = 'typeorm-tasks'
