#!/usr/bin/env bash
# Fetches MySQL's server (the newest in Debian's unstable archive) into a folder, with the loader and the libraries that it needs.
# Nothing is installed, and apt's own sources and state stay as they are. Needs apt, dpkg and Debian's archive keyring.
#
#   scripts/mysql-server.sh fetch [FOLDER]     downloads and unpacks it once (60 MB), then prints the path of its mysqld
#   scripts/mysql-server.sh program [FOLDER]   prints the path of the fetched mysqld; fails if it was not fetched
#   scripts/mysql-server.sh folder             prints the default of FOLDER
#
# FOLDER is a cache folder of this user unless given. A second fetch has nothing to do; parallel fetches wait for each other.
set -euo pipefail

# The server does not run as root but as an account that cannot enter root's home.
cache() {
  if [ -n "${XDG_CACHE_HOME:-}" ]; then echo "$XDG_CACHE_HOME"; elif [ "$(id -u)" = 0 ]; then echo /var/cache; else echo "$HOME/.cache"; fi
}

verb=${1:-}
folder=${2:-$(cache)/typeorm-tasks/mysql}
program=$folder/bin/mysqld

fetch() {
  mkdir -p "$folder"
  exec 9>"$folder/lock"
  flock 9
  [ ! -x "$program" ] || return 0
  need apt-get apt-cache dpkg
  configure_apt
  apt-get update -qq
  download
  unpack
  write_program
}

need() {
  local name
  for name in "$@"; do
    command -v "$name" >/dev/null || fail "$name is missing: MySQL is fetched from Debian's archive. Set MYSQL_BIN to the folder of a mysqld, or MYSQL_URL to a running server."
  done
}

# An apt with sources, lists and cache of its own; it uses this machine's Debian mirror if there is one.
configure_apt() {
  local listed=/etc/apt/sources.list.d/debian.sources archive= keyring=
  if [ -e "$listed" ]; then
    archive=$(awk '/^URIs:/ { print $2; exit }' "$listed")
    keyring=$(awk '/^Signed-By:/ { print $2; exit }' "$listed")
  elif [ -e /etc/apt/sources.list ]; then
    archive=$(grep -oE '^deb .*' /etc/apt/sources.list | grep -oE '[a-z+]+:[^ ]*/debian/? ' | head -n 1 | tr -d ' ' || true)
  fi
  keyring=${keyring:-/usr/share/keyrings/debian-archive-keyring.gpg}
  [ -e "$keyring" ] || fail "$keyring is missing. Install it: apt-get install debian-archive-keyring"
  mkdir -p "$folder"/apt/lists/partial "$folder"/apt/cache/archives/partial "$folder"/debs
  echo "deb [signed-by=$keyring] ${archive:-http://deb.debian.org/debian} sid main" >"$folder/apt/sources.list"
  cat >"$folder/apt/apt.conf" <<CONFIG
Dir::Etc::sourcelist "$folder/apt/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Dir::State::lists "$folder/apt/lists";
Dir::Cache "$folder/apt/cache";
Acquire::Languages "none";
Acquire::Retries "3";
APT::Sandbox::User "";
CONFIG
  export APT_CONFIG=$folder/apt/apt.conf
}

# The server and every library that it needs, the C library too, each in the archive's newest version.
download() {
  local names name version wanted=()
  names=$(apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces --no-enhances mysql-server-core | grep -oE '^(lib[a-z0-9.+-]+|zlib1g)' | sort -u)
  for name in mysql-server-core $names; do
    version=$(apt-cache madison "$name" | awk -F'|' 'NR == 1 { gsub(/ /, "", $2); print $2 }')
    # A virtual package has no version.
    [ -z "$version" ] || wanted+=("$name=$version")
  done
  (cd "$folder/debs" && apt-get download -qq "${wanted[@]}")
}

unpack() {
  local deb
  rm -rf "$folder/root"
  for deb in "$folder"/debs/*.deb; do dpkg -x "$deb" "$folder/root"; done
  rm -rf "$folder/debs" "$folder/apt"
}

# Starts the server by the loader and the C library that it was built for. It is written last: its presence says that all is there.
# The options come behind the caller's, because `--no-defaults` must be the first.
write_program() {
  local loader library root=$folder/root
  loader=$(find "$root" -name 'ld-linux*.so.*' -print -quit)
  library=$(dirname "$(find "$root/usr/lib" -name libc.so.6 -print -quit)")
  mkdir -p "$folder/bin"
  cat >"$program.new" <<PROGRAM
#!/bin/sh
exec '$loader' --library-path '$library' '$root/usr/sbin/mysqld' "\$@" --basedir='$root/usr' --lc-messages-dir='$root/usr/share/mysql' --character-sets-dir='$root/usr/share/mysql/charsets' --secure-file-priv=NULL
PROGRAM
  chmod 755 "$program.new"
  "$program.new" --no-defaults --version >&2
  mv "$program.new" "$program"
}

fail() {
  echo "mysql-server.sh: $1" >&2
  exit 1
}

case $verb in
  fetch) fetch; echo "$program" ;;
  program) [ -x "$program" ] || fail "MySQL was not fetched into $folder. Run: scripts/mysql-server.sh fetch"; echo "$program" ;;
  folder) echo "$folder" ;;
  *) sed -n '2,9s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
