#!/usr/bin/env node
import { keepCompiledCode } from './compile-cache'
import type * as program from './program'

keepCompiledCode()
// Required after the call above, because code loaded earlier is not cached.
void (require('./program') as typeof program).run(process.argv)
