import { Portable } from '../../backends/database/dialects/portable'

jest.mock('../../backends/database/dialect', () => ({ dialectFor: (table: ConstructorParameters<typeof Portable>[0]) => new Portable(table) }))

import './store.spec'
import './backends.spec'
