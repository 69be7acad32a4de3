#!/usr/bin/env bash
# Unpacks Django 5.2, django-tasks, django-tasks-db and their database drivers from Debian's archive into
# ${XDG_CACHE_HOME:-$HOME/.cache}/typeorm-tasks/django. Nothing is installed; apt's own sources and lists stay as they are.
# Needs Debian's /usr/bin/python3 (3.10 or newer) and apt. Does nothing if the folder is up to date. Takes about a minute.
set -euo pipefail

target=${XDG_CACHE_HOME:-$HOME/.cache}/typeorm-tasks/django
python=/usr/bin/python3

fail() {
  echo "fetch.sh: $*" >&2
  exit 1
}

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null || fail "$python must be Python 3.10 or newer. Install it, for instance: apt-get install python3"
command -v apt-get >/dev/null && command -v dpkg >/dev/null || fail 'it needs apt-get and dpkg, so a Debian machine.'

# What was unpacked is valid for this script and this Python: the drivers are compiled for it.
edition=$(sha256sum <"${BASH_SOURCE[0]}" | cut -c1-16)-$("$python" -c 'import sys; print(*sys.version_info[:2], sep=".")')

mkdir -p "$(dirname "$target")"
exec 9>"$target.lock"
flock 9
if [ "$(cat "$target/edition" 2>/dev/null)" = "$edition" ]; then
  echo "Django is unpacked in $target: $(cat "$target/versions")"
  exit 0
fi

work=$(mktemp -d "$target.XXXXXX")
trap 'rm -rf "$work"' EXIT

# The archive that this machine uses, in apt's newer or older format.
sources=$(cat /etc/apt/sources.list.d/debian.sources 2>/dev/null || true)
uri=$(awk '/^URIs:/ { print $2; exit }' <<<"$sources")
keyring=$(awk '/^Signed-By:/ { print $2; exit }' <<<"$sources")
[ -n "$uri" ] || uri=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null | awk '$1 == "deb" { for (i = 2; i <= NF; i++) if ($i ~ /:\//) { print $i; exit } }' || true)
[ -n "$uri" ] || fail 'the apt sources of this machine name no archive.'
suite=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
[ -n "$suite" ] || fail '/etc/os-release names no Debian release.'

mkdir -p "$work"/apt/{state/lists/partial,cache/archives/partial} "$work/debs" "$work/root"
for each in "$suite" forky sid; do
  echo "deb [signed-by=${keyring:-/usr/share/keyrings/debian-archive-keyring.gpg}] $uri $each main"
done >"$work/apt/sources.list"
cat >"$work/apt/apt.conf" <<END
Dir::Etc::sourcelist "$work/apt/sources.list";
Dir::Etc::sourceparts "-";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Dir::State::lists "$work/apt/state/lists";
Dir::State::extended_states "$work/apt/state/extended_states";
Dir::Cache "$work/apt/cache";
Acquire::Languages "none";
APT::Default-Release "$suite";
APT::Sandbox::User "root";
Debug::NoLocking "true";
END
export APT_CONFIG=$work/apt/apt.conf
apt-get update -qq

# The newest version whose number begins with $2, else the newest of all.
newest() {
  apt-cache madison "$1" | awk -F' *[|] *' -v prefix="${2:-}" '
    { number = $2; sub(/^[0-9]+:/, "", number) }
    NR == 1 { best = $2 }
    !fits && index(number, prefix) == 1 { best = $2; fits = 1 }
    END { print best }'
}

# Pure Python: any Python will do, so they come from the newest suite.
pure=("python3-django=$(newest python3-django 5.2.)")
for name in asgiref django-stubs-ext django-tasks django-tasks-db sqlparse typing-extensions; do
  pure+=("python3-$name=$(newest "python3-$name")")
done
(cd "$work/debs" && apt-get download -qq "${pure[@]}")

# Compiled: from the suite of this machine, with those of their libraries that it lacks. What it has is used as it is.
apt-get install -qq --download-only --no-install-recommends -y python3-psycopg2 python3-mysqldb >/dev/null

for deb in "$work"/debs/*.deb "$work"/apt/cache/archives/*.deb; do
  [ ! -e "$deb" ] || dpkg -x "$deb" "$work/root"
done
rm -rf "$work/apt" "$work/debs"

packages=usr/lib/python3/dist-packages
libraries=usr/lib/$(dpkg --print-architecture | sed 's/amd64/x86_64-linux-gnu/; s/arm64/aarch64-linux-gnu/')
PYTHONPATH=$work/root/$packages LD_LIBRARY_PATH=$work/root/$libraries "$python" >"$work/versions" <<'END'
import django, django_tasks, django_tasks_db, MySQLdb, psycopg2
print(f"Django {django.__version__}, django-tasks {django_tasks.__version__}, django-tasks-db {django_tasks_db.__version__}, psycopg2 {psycopg2.__version__.split()[0]}, mysqlclient {MySQLdb.__version__}")
END
# Short names for the specs, whatever the architecture.
ln -s "root/$packages" "$work/packages"
ln -s "root/$libraries" "$work/libraries"
echo "$edition" >"$work/edition"
chmod 755 "$work"

rm -rf "$target"
mv "$work" "$target"
echo "Unpacked in $target: $(cat "$target/versions")"
