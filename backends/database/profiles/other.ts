import type { Profile } from './profile'

/** Every other database of TypeORM: SQL Server, Oracle, SAP HANA, Spanner. */
export const other: Profile = {
  placeholder: 'question',
  isSoleConnection: false,
  livesInMemory: () => false,
  wakesBy: null,
  errors: { taken: /Violation of (PRIMARY|UNIQUE) KEY|ORA-00001/ },
  mayBeMariaDb: false,
  readsLocalTime: false,
}
