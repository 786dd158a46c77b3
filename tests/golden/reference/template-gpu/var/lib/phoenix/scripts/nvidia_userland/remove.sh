#!/bin/sh
# nvidia_userland. Called with our note: removes the programs and libraries that we installed.
set -eu

note=$1

if [ -e "$note" ] && [ -e /var/lib/nvidia/log ]; then
    nvidia-uninstall --silent --skip-module-unload
    printf '%s\n' "removed the programs and libraries"
fi
rm -f "$note"
