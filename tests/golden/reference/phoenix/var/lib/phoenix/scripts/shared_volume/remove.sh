#!/bin/sh
# shared_volume. Called with our note: removes the folder that it names when it is empty, and the note.
set -eu

note=$1

if [ -e "$note" ]; then
    read -r path <"$note"
    if [ -d "$path" ] && rmdir "$path" 2>/dev/null; then
        printf '%s\n' "removed $path, which was empty"
    else
        printf '%s\n' "$path stays as it is"
    fi
    rm -f "$note"
fi
