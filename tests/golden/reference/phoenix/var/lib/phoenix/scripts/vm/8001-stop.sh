#!/bin/sh
# vm:8001 ml-desktop. Shuts the machine down within its deadline; what then is as declared: fail.
set -eu

vmid=8001
called='vm:8001 ml-desktop'
seconds=120

running() {
    [ -d "/sys/fs/cgroup/qemu.slice/$vmid.scope" ]
}

if ! running; then
    printf '%s\n' "$called does not run"
    exit 0
fi
qm shutdown "$vmid" --timeout "$seconds" || :
if running; then
    printf '%s\n' "$called does not shut down within $seconds s, and runs on: \`phoenix stop --force\` ends it" >&2
    exit 1
fi
printf '%s\n' "$called is down"
