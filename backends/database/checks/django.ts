import type { DataSource } from 'typeorm'
import { DBTaskResult } from '../../../entities/db-task-result.entity'
import type { Problem } from '../../../lib/backend'
import { tasks } from '../../../lib/registry'

/** More names are counted, not named. */
const MAX_NAMED = 5

/**
 * Problems of Django with the rows of tasks that are defined here: its admin and its workers import what a task's name says.
 * Where Python finds something else than a task, the list of results cannot be opened, and a worker that meets such a row ends.
 * Empty if the table is not Django's.
 */
export function djangoProblems(dataSource: DataSource): Problem[] {
  if (dataSource.getMetadata(DBTaskResult).synchronize) return []
  const names = tasks.names().filter(isOfPython).toSorted()
  if (names.length === 0) return []
  const shown = names.slice(0, MAX_NAMED).map((name) => `"${name}"`)
  const more = names.length > MAX_NAMED ? ` and ${names.length - MAX_NAMED} more` : ''
  return [
    {
      level: 'warning',
      message: `Names of tasks begin with a module that every Django can import: ${shown.join(', ')}${more}. If the module has something of that name, Django's list of results cannot be opened, and a Django worker that meets the row ends.`,
      hint: 'Begin the names with a part that is no Python module, such as "node.".',
    },
  ]
}

/** A name without a dot is nothing that Django imports. */
function isOfPython(name: string): boolean {
  const dot = name.indexOf('.')
  return dot > 0 && MODULES.has(name.slice(0, dot))
}

/** The public modules of Python 3.10 to 3.13 (`sys.stdlib_module_names`), and the packages that Django comes with. */
const MODULES = new Set(
  `abc aifc antigravity argparse array ast asynchat asyncio asyncore atexit audioop base64 bdb
  binascii binhex bisect builtins bz2 cProfile calendar cgi cgitb chunk cmath cmd code codecs
  codeop collections colorsys compileall concurrent configparser contextlib contextvars copy
  copyreg crypt csv ctypes curses dataclasses datetime dbm decimal difflib dis distutils doctest
  email encodings ensurepip enum errno faulthandler fcntl filecmp fileinput fnmatch fractions
  ftplib functools gc genericpath getopt getpass gettext glob graphlib grp gzip hashlib heapq hmac
  html http idlelib imaplib imghdr imp importlib inspect io ipaddress itertools json keyword
  lib2to3 linecache locale logging lzma mailbox mailcap marshal math mimetypes mmap modulefinder
  msilib msvcrt multiprocessing netrc nis nntplib nt ntpath nturl2path numbers opcode operator
  optparse os ossaudiodev pathlib pdb pickle pickletools pipes pkgutil platform plistlib poplib
  posix posixpath pprint profile pstats pty pwd py_compile pyclbr pydoc pydoc_data pyexpat queue
  quopri random re readline reprlib resource rlcompleter runpy sched secrets select selectors
  shelve shlex shutil signal site smtpd smtplib sndhdr socket socketserver spwd sqlite3
  sre_compile sre_constants sre_parse ssl stat statistics string stringprep struct subprocess
  sunau symtable sys sysconfig syslog tabnanny tarfile telnetlib tempfile termios textwrap this
  threading time timeit tkinter token tokenize tomllib trace traceback tracemalloc tty turtle
  turtledemo types typing unicodedata unittest urllib uu uuid venv warnings wave weakref
  webbrowser winreg winsound wsgiref xdrlib xml xmlrpc zipapp zipfile zipimport zlib zoneinfo
  django django_tasks django_tasks_db asgiref sqlparse typing_extensions pip setuptools`.split(
    /\s+/,
  ),
)
