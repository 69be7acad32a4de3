/** Apps of the two shapes that users of Nest have. Lines that are there for tasks alone, handlers and calls apart, end with `// glue`. */

const USER = `
import { Column, Entity, PrimaryGeneratedColumn } from 'typeorm'

@Entity()
export class User {
  @PrimaryGeneratedColumn()
  id!: number

  @Column({ type: 'varchar' })
  name!: string
}
`

const CONFIG = `
import { Injectable, Module } from '@nestjs/common'

@Injectable()
export class ConfigService {
  get(name: string): string | undefined {
    return process.env[name]
  }
}

@Module({ providers: [ConfigService], exports: [ConfigService] })
export class ConfigModule {}
`

const MAIL = `
import { setTimeout as sleep } from 'node:timers/promises'
import { Injectable, type OnApplicationShutdown, type OnModuleDestroy, Scope } from '@nestjs/common'
import { DataSource } from 'typeorm'
import { TaskHandler } from 'typeorm-tasks/nestjs' // glue
import { User } from './user.js'

let made = 0

@Injectable({ scope: Scope.REQUEST })
export class Trace {
  readonly number = ++made
}

@Injectable()
export class Mail {
  constructor(private readonly dataSource: DataSource) {}

  @TaskHandler('mail.welcome', { queueName: 'mail' })
  async welcome(userId: number): Promise<string> {
    const { name } = await this.dataSource.getRepository(User).findOneByOrFail({ id: userId })
    return 'welcome, ' + name
  }

  @TaskHandler('mail.slow', { queueName: 'mail' })
  async slow(ms: number): Promise<number> {
    await sleep(ms)
    const users = await this.dataSource.getRepository(User).count()
    console.log('slow has ended')
    return users
  }

  @TaskHandler('mail.process', { isolate: true })
  async process(): Promise<number> {
    return process.pid
  }
}

@Injectable({ scope: Scope.REQUEST })
export class Traced {
  constructor(private readonly trace: Trace) {}

  @TaskHandler('mail.traced')
  async traced(): Promise<number> {
    return this.trace.number
  }
}

@Injectable()
export class Closing implements OnModuleDestroy, OnApplicationShutdown {
  onModuleDestroy(): void {
    console.log('Nest destroys modules')
  }

  onApplicationShutdown(): void {
    console.log('Nest is shut down')
  }
}
`

const CONTROLLER = `
import { Controller, Get, Inject, Param, Post } from '@nestjs/common'
import { Tasks } from 'typeorm-tasks/nestjs' // glue
import { Mail, Traced } from './mail.js'
import { SignUp } from './sign-up.js'

@Controller()
export class UsersController {
  constructor(@Inject(SignUp) private readonly signUp: SignUp) {}

  @Post('users/:name')
  async create(@Param('name') name: string): Promise<{ task: string }> {
    return { task: await this.signUp.run(name) }
  }

  @Post('slow/:ms')
  async slow(@Param('ms') ms: string): Promise<void> {
    await Tasks.of(Mail).slow.enqueue(Number(ms))
  }

  @Post('traced')
  async traced(): Promise<void> {
    await Tasks.of(Traced).traced.enqueueMany([[], []])
  }

  @Post('process')
  async process(): Promise<void> {
    await Tasks.of(Mail).process.enqueue()
  }

  @Get('tasks/:id')
  async status(@Param('id') id: string): Promise<{ status: string }> {
    const { status } = await Tasks.of(Mail).welcome.getResult(id)
    return { status }
  }
}
`

const SIGN_UP = `
import { Injectable } from '@nestjs/common'
import { DataSource } from 'typeorm'
import { Tasks } from 'typeorm-tasks/nestjs' // glue
import { Mail } from './mail.js'
import { User } from './user.js'

@Injectable()
export class SignUp {
  constructor(private readonly dataSource: DataSource) {}

  async run(name: string): Promise<string> {
    return this.dataSource.transaction(async (manager) => {
      const user = await manager.save(User, { name })
      const { id } = await Tasks.of(Mail).welcome.using({ manager }).enqueue(user.id)
      if (name === 'nobody') throw new Error('rolled back')
      return id
    })
  }
}
`

const APP_MODULE = `
import { Module } from '@nestjs/common'
import { TypeOrmModule } from '@nestjs/typeorm'
import { DBTaskResult } from 'typeorm-tasks' // glue
import { childApp, DashboardModule, TasksModule } from 'typeorm-tasks/nestjs' // glue
import { ConfigModule, ConfigService } from './config.js'
import { Closing, Mail, Trace, Traced } from './mail.js'
import { SignUp } from './sign-up.js'
import { User } from './user.js'
import { UsersController } from './users.controller.js'

@Module({
  imports: [
    TypeOrmModule.forRootAsync({
      imports: [ConfigModule],
      inject: [ConfigService],
      useFactory: (config: ConfigService) => ({
        type: 'better-sqlite3',
        database: config.get('DATABASE')!,
        enableWAL: true,
        synchronize: true,
        entities: [User, DBTaskResult],
      }),
    }),
    TasksModule.forRootAsync({ // glue
      imports: [ConfigModule], // glue
      inject: [ConfigService], // glue
      useFactory: (config: ConfigService) => ({ // glue
        tasks: { default: { BACKEND: 'typeorm-tasks/backends/database#DatabaseBackend', QUEUES: ['default', 'mail'] } }, // glue
        worker: config.get('WORKER') === '1' && { queues: '*', concurrency: 5, interval: 50, isolation: { module: FILE } }, // glue
      }), // glue
    }), // glue
    DashboardModule.forRoot({ path: 'admin/tasks', authorize: () => 'all' }), // glue
  ],
  controllers: [UsersController],
  providers: [Closing, Mail, SignUp, Trace, Traced],
})
export class AppModule {}

export const prepare = childApp(() => AppModule) // glue
`

const MAIN = `
import 'reflect-metadata'
import { NestFactory } from '@nestjs/core'
import { AppModule } from './app.module.js'

async function main(): Promise<void> {
  const app = await NestFactory.create(AppModule)
  if (process.env['HOOKS'] !== '0') app.enableShutdownHooks()
  await app.listen(0, '127.0.0.1')
  console.log('listens at ' + (await app.getUrl()))
}

void main()
`

/** CommonJS, Express, a config service, and transactions by their managers. */
export const COMMONJS_APP = {
  'user.ts': USER,
  'config.ts': CONFIG,
  'mail.ts': MAIL,
  'sign-up.ts': SIGN_UP,
  'users.controller.ts': CONTROLLER,
  'app.module.ts': APP_MODULE.replace('FILE', '__filename'),
  'main.ts': MAIN,
} as const

const TRANSACTIONAL_SIGN_UP = `
import { Injectable } from '@nestjs/common'
import { InjectRepository } from '@nestjs/typeorm'
import type { Repository } from 'typeorm'
import { Transactional } from 'typeorm-transactional'
import { Tasks } from 'typeorm-tasks/nestjs' // glue
import { Mail } from './mail.js'
import { User } from './user.js'

@Injectable()
export class SignUp {
  constructor(@InjectRepository(User) private readonly users: Repository<User>) {}

  @Transactional()
  async run(name: string): Promise<string> {
    const user = await this.users.save({ name })
    const { id } = await Tasks.of(Mail).welcome.enqueue(user.id)
    if (name === 'nobody') throw new Error('rolled back')
    return id
  }
}
`

/** ES modules, Fastify, entities of features, and typeorm-transactional. */
export const ESM_APP = {
  ...COMMONJS_APP,
  'sign-up.ts': TRANSACTIONAL_SIGN_UP,
  'app.module.ts': APP_MODULE.replace('FILE', 'import.meta.filename')
    .replace(
      'import { ConfigModule',
      `import { DataSource, type DataSourceOptions } from 'typeorm'
import { addTransactionalDataSource, initializeTransactionalContext } from 'typeorm-transactional'
import { ConfigModule`,
    )
    .replace('@Module({', 'initializeTransactionalContext()\n\n@Module({')
    .replace('entities: [User, DBTaskResult],', 'autoLoadEntities: true,')
    .replace(
      `      }),
    }),
    TasksModule`,
      `      }),
      dataSourceFactory: async (options) =>
        addTransactionalDataSource(new DataSource(options as DataSourceOptions)),
    }),
    TypeOrmModule.forFeature([User, DBTaskResult]),
    TasksModule`,
    ),
  'main.ts': MAIN.replace(
    'import { AppModule }',
    "import { FastifyAdapter } from '@nestjs/platform-fastify'\nimport { AppModule }",
  ).replace('create(AppModule)', 'create(AppModule, new FastifyAdapter())'),
} as const
