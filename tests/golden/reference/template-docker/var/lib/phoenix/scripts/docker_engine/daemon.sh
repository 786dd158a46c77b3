#!/bin/sh
# docker_engine. Called with the digest of daemon.json as it was looked at, and the paths of what is ours in it;
# reads the whole file on stdin, and what of it is somebody else's. Declared: {   "live-restore": true,   "log-driver": "json-file",   "log-opts": {     "max-file": "3",     "max-size": "10m"   },   "storage-driver": "overlay2" }
set -eu

file=/etc/docker/daemon.json
note=/var/lib/phoenix/made/docker_engine/engine
kept=/var/lib/phoenix/kept/docker_engine/daemon.json
waiting=/var/lib/phoenix/pending/docker.service

refuse() {
    printf '%s\n' "$file is not changed: $1" >&2
    exit 1
}

seen=$1
shift
found=-
[ ! -e "$file" ] || found=$(sha256sum <"$file" | cut -c1-64)
[ "$found" = "$seen" ] || refuse "somebody else has changed it meanwhile"

umask 022
mkdir -p "$(dirname "$file")" "$(dirname "$note")" "$(dirname "$kept")" "$(dirname "$waiting")"
sent=$(mktemp)
trap 'rm -f "$sent" "${new:-}"' EXIT
cat >"$sent"
[ "$(tail -n 1 "$sent")" = '-- it ends here --' ] || refuse "its content came only in part"
new=$(mktemp "$file.XXXXXX")
sed '/^-- theirs --$/,$d' "$sent" >"$new"
chmod 644 "$new"
# 127: there is no daemon yet that could be asked
said=$(dockerd --validate --config-file="$new" 2>&1) || [ "$?" = 127 ] ||
    refuse "$(printf '%s' "$said" | sed "s|$new|it|")"

if [ -e "$note" ]; then sed -i -e '/^set /d' -e '/^file /d' "$note"; fi
grep -sqxF "maker $(uname -n)" "$note" || printf '%s\n' "maker $(uname -n)" >>"$note"
for path in "$@"; do
    printf '%s\n' "set $path" >>"$note"
done
printf '%s\n' "file $(sha256sum <"$new" | cut -c1-64)" >>"$note"
sed -e '1,/^-- theirs --$/d' -e '/^-- it ends here --$/d' "$sent" >"$kept.new"
if [ -s "$kept.new" ]; then mv -f "$kept.new" "$kept"; else rm -f "$kept.new" "$kept"; fi
# With what was there, the daemon has started.
if [ -e "$file" ]; then cp -p "$file" "$kept.before"; else rm -f "$kept.before"; fi
: >"$waiting"
sync "$new"
mv -f "$new" "$file"
printf '%s\n' "wrote $file"
