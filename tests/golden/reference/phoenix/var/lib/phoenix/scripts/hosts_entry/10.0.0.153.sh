#!/bin/sh
# hosts_entry:10.0.0.153. Writes its line into /etc/hosts, in the place of the one we wrote before.
set -eu

file=/etc/hosts
note=/var/lib/phoenix/made/hosts_entry/10.0.0.153
line='10.0.0.153 gateway.home.arpa gateway'

mkdir -p "$(dirname "$note")"
# The old line and the new one are noted first: cut in between, whichever is there is known to be ours.
grep -sqxF "$line" "$note" || printf '%s\n' "$line" >>"$note"
new=$(mktemp "$file.XXXXXX")
trap 'rm -f "$new"' EXIT
awk -v line="$line" '
    FILENAME != ARGV[2] { ours[$0]; next }
    $0 in ours { if (!done) print line; done = 1; next }
    { print }
    END { if (!done) print line }' "$note" "$file" >"$new"
chmod --reference="$file" "$new"
sync "$new"
mv -f "$new" "$file"
printf '%s\n' "$line" >"$note"
printf '%s\n' "$file says $line"
