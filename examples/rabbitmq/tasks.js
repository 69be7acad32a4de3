import { task } from 'typeorm-tasks'

export const welcome = task('mail.welcome', (name) => `Welcome, ${name}!`)
