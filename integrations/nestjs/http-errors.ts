import {
  BadRequestException,
  type CallHandler,
  type ExecutionContext,
  type HttpException,
  Inject,
  Injectable,
  NotFoundException,
  type NestInterceptor,
} from '@nestjs/common'
import { catchError, type Observable, throwError } from 'rxjs'
import {
  InvalidArgumentsError,
  NotSerializableError,
  ResultMismatchError,
  ResultNotFoundError,
} from '../../index'
import { TASKS_OPTIONS, type TasksModuleOptions } from './options'

/** In answers to HTTP requests an unknown id is a 404, and refused arguments are a 400. What else fails is the app's fault. */
@Injectable()
export class HttpErrors implements NestInterceptor {
  readonly #isOn: boolean

  constructor(@Inject(TASKS_OPTIONS) { httpErrors = true }: TasksModuleOptions) {
    this.#isOn = httpErrors
  }

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const handled = next.handle() as Observable<unknown>
    if (!this.#isOn || context.getType() !== 'http') return handled
    return handled.pipe(
      catchError((error: unknown) => throwError(() => httpErrorOf(error) ?? error)),
    )
  }
}

function httpErrorOf(error: unknown): HttpException | undefined {
  if (error instanceof ResultNotFoundError || error instanceof ResultMismatchError)
    return new NotFoundException(error.what, { cause: error })
  if (error instanceof InvalidArgumentsError || error instanceof NotSerializableError)
    return new BadRequestException(error.what, { cause: error })
  return undefined
}
