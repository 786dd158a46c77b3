#!/bin/sh
# lxc. Called with files and lines, `/etc/subuid root:1000:1 /etc/subgid root:1000:1`: adds the lines that are not there.
set -eu

file=
for word; do
    case $word in
    /*) file=$word ;;
    *)
        if [ -s "$file" ] && [ -n "$(tail -c 1 "$file")" ]; then printf '\n' >>"$file"; fi
        grep -qxF -- "$word" "$file" 2>/dev/null || printf '%s\n' "$word" >>"$file"
        ;;
    esac
done
