#!/bin/sh
# journal_sender. Starts its unit.
set -eu

# Called with a verb of systemctl, a unit, the note that it is to be told of a change, seconds to watch it, and
# `enable` or nothing. A unit that dies meanwhile is told with the last lines of its journal.
verb=$1 unit=$2 waiting=$3 settle=$4 enable=$5

told() {
    printf '%s\n' "$unit $1; the last lines of its journal:" >&2
    journalctl -u "$unit" -n 8 -o cat --no-pager -q >&2 || :
    exit 1
}

[ -z "$enable" ] || systemctl enable "$unit"
# One that failed too often in a row is not started again before that is forgotten.
systemctl reset-failed "$unit" 2>/dev/null || :
systemctl "$verb" "$unit" || told "does not start"
while [ "$settle" -gt 0 ]; do
    sleep 1
    settle=$((settle - 1))
    case $(systemctl show -p ActiveState --value "$unit") in
    failed | activating) told "was started and died" ;;
    esac
done
rm -f "$waiting"
printf '%s\n' "$unit: $verb is done"
