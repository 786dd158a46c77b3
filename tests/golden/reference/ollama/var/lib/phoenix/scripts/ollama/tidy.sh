#!/bin/sh
# ollama. Called with the folder of the release that runs: removes those of others beside it.
set -eu

home=$1
for other in "$(dirname "$home")"/* "$(dirname "$home")"/.new.*; do
    if [ -d "$other" ] && [ "$other" != "$home" ]; then
        find "$other" -delete
        printf '%s\n' "removed $other"
    fi
done
