#!/bin/sh
# journal_receiver. Takes our drop-in for its unit away.
set -eu

# Called with our note, the note that it is to be told of a change, and the unit.
note=$1 waiting=$2 unit=$3

if [ ! -e "$note" ]; then
    printf '%s\n' "$unit is not ours: there is no $note" >&2
    exit 1
fi
path=$(sed -n 1p "$note")
if [ ! -h "$path" ] && [ -d "$path" ]; then
    printf '%s\n' "$path is not removed: it is a folder" >&2
    exit 1
fi
case $path in
*.d/zz-phoenix.conf)
    rm -f "$path"
    rmdir "$(dirname "$path")" 2>/dev/null || :
    systemctl daemon-reload
    systemctl try-restart "$unit"
    ;;
*)
    # A template is not stopped: its instances are units of their own.
    case $unit in
    *@.*) ;;
    *) [ ! -e "$path" ] || systemctl disable --now "$unit" ;;
    esac
    rm -f "$path"
    systemctl daemon-reload
    systemctl reset-failed "$unit" 2>/dev/null || :
    ;;
esac
rm -f "$waiting" "$note"
printf '%s\n' "removed $path"
