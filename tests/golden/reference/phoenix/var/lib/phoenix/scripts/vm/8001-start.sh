#!/bin/sh
# vm:8001 ml-desktop. Starts the machine, or with `reboot` starts it anew, and waits until it is ready.
set -eu

vmid=8001
called='vm:8001 ml-desktop'
seconds=600
agent=1
network=0
cloud=1
command='systemctl is-active --quiet graphical.target'
shutdown=120
note=/var/lib/phoenix/made/vm/8001

refuse() {
    printf '%s\n' "$called $1" >&2
    exit 1
}

running() {
    [ -d "/sys/fs/cgroup/qemu.slice/$vmid.scope" ]
}

if [ "${1:-start}" = reboot ] && running; then
    qm reboot "$vmid" --timeout "$shutdown" || refuse "could not be restarted: it does not shut down within $shutdown s"
elif ! running; then
    qm start "$vmid" || refuse "could not be started"
fi
# From here on cloud-init has had its first start.
mkdir -p "$(dirname "$note")"
[ -e "$note.started" ] || printf '%s\n' started >"$note.started"

# inside TEXT: run it in the machine; what it prints is one line of JSON's
inside() {
    qm guest exec "$vmid" --timeout 60 -- /bin/sh -c "$1" 2>/dev/null
}

holds() {
    inside "$1" | grep -q '"exitcode" *: *0\b'
}

missing() {
    if ! running; then
        printf 'it does not run any more'
    elif [ "$agent" = 0 ]; then
        :
    elif ! qm guest cmd "$vmid" ping >/dev/null 2>&1; then
        printf 'its guest agent does not answer'
    elif [ "$cloud" = 1 ] && ! holds 'test -e /run/cloud-init/result.json'; then
        printf 'cloud-init has not finished'
    elif [ "$network" = 1 ] && ! qm guest cmd "$vmid" network-get-interfaces 2>/dev/null |
        grep '"ip-address" *:' | grep -qv '"127\.\|"::1"\|"fe80'; then
        printf 'it has no address'
    elif [ -n "$command" ] && ! holds "$command"; then
        printf '%s' "this fails inside: $command"
    fi
}

begun=$(date +%s)
while why=$(missing) && [ -n "$why" ]; do
    waited=$(($(date +%s) - begun))
    if [ "$waited" -ge "$seconds" ]; then
        refuse "was started, and is not ready after $seconds s: $why"
    fi
    printf '%s\r' "$waited of $seconds s: $why"
    sleep 2
done
printf '%s\n' "$called runs"
