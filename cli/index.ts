#!/usr/bin/env node
import { keepCompiledCode } from './compile-cache'
import type * as program from './program'

keepCompiledCode()
// What is loaded before that is compiled each time.
void (require('./program') as typeof program).run(process.argv)
