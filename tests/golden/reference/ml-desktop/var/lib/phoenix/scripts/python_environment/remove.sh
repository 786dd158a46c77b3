#!/bin/sh
# python_environment. Called with a path, how its builds begin, and our note: removes the environment that we made.
set -eu

path=$1 builds=$2 note=$3

if [ -h "$path" ]; then
    case $(readlink "$path") in
    "$builds"*/env) rm -f "$path" ;;
    *)
        printf '%s\n' "$path is not removed: it is somebody else's link" >&2
        exit 1
        ;;
    esac
elif [ -e "$path" ]; then
    printf '%s\n' "$path is not removed: we did not make it" >&2
    exit 1
fi
for build in "$builds"*; do
    case ${build#"$builds"} in *[!0-9a-f]*) continue ;; esac
    [ ! -e "$build" ] || find "$build" -xdev -depth -delete
done
rm -f "$note"
printf '%s\n' "removed $path"
