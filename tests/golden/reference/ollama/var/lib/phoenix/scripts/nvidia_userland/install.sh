#!/bin/sh
# nvidia_userland. Installs programs and libraries out of the runfile, unless they are there; no kernel module.
set -eu

runfile=/var/cache/phoenix/downloads/219be636b60931b021b2e8c1e0eff887363c731f8a940caa87bcc054d05d97fd
version=580.76.05
note=/var/lib/phoenix/made/nvidia_userland/libraries

# shown: the version that programs tell
shown() {
    nvidia-smi -h 2>/dev/null | sed -n 's/^NVIDIA System Management Interface -- v//p'
}

if [ "$(head -n 1 /var/lib/nvidia/log 2>/dev/null)" = "$version" ] && [ "$(shown)" = "$version" ]; then
    printf '%s\n' "the libraries of $version are there"
    exit 0
fi
[ -e "$runfile" ] || {
    printf '%s\n' "$runfile is not here: only phoenix brings it into a guest" >&2
    exit 1
}
mkdir -p "$(dirname "$note")"
printf '%s\n' "$version" >"$note"
sh "$runfile" --silent --no-kernel-modules --no-x-check --no-nouveau-check </dev/null || {
    status=$?
    tail -n 5 /var/log/nvidia-installer.log >&2 2>/dev/null || :
    exit "$status"
}
printf '%s\n' "installed the programs and libraries of $version"
