#!/bin/sh
# ollama. Called with an archive, the folder it is unpacked to, and where people look for the program.
set -eu

archive=$1 home=$2 program=$3
sum=$(basename "$archive")

umask 022
mkdir -p "$(dirname "$home")" "$(dirname "$program")"
if [ -e "$program" ] || [ -h "$program" ]; then
    case $(readlink "$program" || :) in
    "$(dirname "$home")"/*) ;;
    *)
        printf '%s\n' "$program is somebody else's: nothing was changed" >&2
        exit 1
        ;;
    esac
fi
if [ "$(cat "$home/.sha256" 2>/dev/null || :)" != "$sum" ]; then
    new=$(mktemp -d "$(dirname "$home")/.new.XXXXXX")
    trap '[ ! -d "$new" ] || find "$new" -delete' EXIT
    tar -xf "$archive" -C "$new" --no-same-owner
    if [ ! -x "$new/bin/ollama" ]; then
        printf '%s\n' "there is no bin/ollama in what was fetched: nothing was changed" >&2
        exit 1
    fi
    # The mark comes last: what was cut before it is no release.
    printf '%s\n' "$sum" >"$new/.sha256"
    chmod 0755 "$new"
    sync -f "$new"
    [ ! -d "$home" ] || find "$home" -delete
    mv "$new" "$home"
    printf '%s\n' "unpacked $home"
fi
if [ "$(readlink "$program" || :)" != "$home/bin/ollama" ]; then
    ln -sfn "$home/bin/ollama" "$program.new"
    mv -fT "$program.new" "$program"
    printf '%s\n' "$program is $home/bin/ollama"
fi
