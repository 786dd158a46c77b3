#!/bin/sh
# host_file:/usr/local/sbin/node-metrics. Reads its content on stdin, and puts it in its place, whole or not at all.
set -eu

path=/usr/local/sbin/node-metrics
note=/var/lib/phoenix/made/host_file/usr.local.sbin.node-metrics
kept=/var/lib/phoenix/kept/host_file/usr.local.sbin.node-metrics
unit=''
waiting=''
overwrite=0
end='-- the file ends here --'

refuse() {
    printf '%s\n' "$path is not written: $1" >&2
    exit 1
}

if [ ! -h "$path" ] && [ -e "$path" ] && [ ! -f "$path" ]; then
    refuse "it is not a file"
fi
umask 022
mkdir -p "$(dirname "$path")" "$(dirname "$note")"
umask 077
sent=$(mktemp "$path.XXXXXX")
trap 'rm -f "$sent" "${new:-}"' EXIT
new=$(mktemp "$path.XXXXXX")
cat >"$sent"
# The newlines around the end mark count: 26 bytes in all.
[ "$(tail -c 25 "$sent")" = "$end" ] || refuse "its content came only in part"
head -c -26 "$sent" >"$new"
chown root:root "$new"
chmod 755 "$new"

if [ ! -e "$note" ] && { [ -e "$path" ] || [ -h "$path" ]; }; then
    [ "$overwrite" = 1 ] || refuse "somebody else made a file there"
    mkdir -p "$(dirname "$kept")"
    cp -a "$path" "$kept"
    printf '%s\n' "kept what was there as $kept"
fi
# The notes come first: cut in between, they name a file that is not there yet, which harms nothing.
# The last line says who made it: a clone takes over the notes of its layer.
printf '%s\n%s\n%s\n' "$path" "$unit" "$(uname -n)" >"$note"
if [ -n "$waiting" ]; then
    mkdir -p "$(dirname "$waiting")"
    : >"$waiting"
fi
sync "$new"
mv -f "$new" "$path"
printf '%s\n' "wrote $path"
