#!/bin/sh
# shared_volume:ollama-models. Makes the folder when it is missing, and gives it its owner and mode.
set -eu

path=/fastData/shared-bulk-data/ollama
note=/var/lib/phoenix/made/shared_volume/ollama-models

if [ ! -d "$path" ] || [ -e "$note" ]; then
    # The note comes first: cut in between, it names a thing that is not there, which harms nothing.
    mkdir -p "$(dirname "$note")"
    printf '%s\n' "$path" >"$note"
fi
if [ ! -d "$path" ]; then
    mkdir -p "$path"
    printf '%s\n' "made $path"
fi
chown 100000:100000 "$path"
chmod 755 "$path"
