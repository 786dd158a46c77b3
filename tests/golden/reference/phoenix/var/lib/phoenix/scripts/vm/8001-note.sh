#!/bin/sh
# vm:8001 ml-desktop. Notes what we gave the machine of which it may have more that is not ours; it is whole with that.
# Called with what the machine still has until its next start.
set -eu

note=/var/lib/phoenix/made/vm/8001.parts

mkdir -p "$(dirname "$note")"
# Without any it holds an empty line: what is asked of the node is lines.
printf '%s\n' disks.scsi0 net.net0 "$@" >"$note.new"
mv -f "$note.new" "$note"
