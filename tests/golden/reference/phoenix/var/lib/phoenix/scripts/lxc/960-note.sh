#!/bin/sh
# lxc:960 monitoring. Notes what we gave the container of which it may have more that is not ours; it is whole with that.
# Called with what the container still has until its next start.
set -eu

note=/var/lib/phoenix/made/lxc/960.parts

mkdir -p "$(dirname "$note")"
# Without any it holds an empty line: what is asked of the node is lines.
printf '%s\n' net.eth0 "$@" >"$note.new"
mv -f "$note.new" "$note"
