#!/bin/sh
# lxc:953 gateway. Starts the container, or with `reboot` starts it anew, and waits until it is ready.
set -eu

vmid=953
called='lxc:953 gateway'
seconds=60
network=0
command=''
shutdown=60
conf=/etc/pve/lxc/$vmid.conf

refuse() {
    printf '%s\n' "$called $1" >&2
    exit 1
}

# A container does not start without its devices and folders, and Proxmox names but the first.
lost=$(
    sed '/^\[/,$d' "$conf" | sed -nE 's/^(dev|mp)[0-9]+: (path=|volume=)?(\/[^,]*).*/\3/p' |
        while IFS= read -r path; do [ -e "$path" ] || printf ' %s' "$path"; done
)

running() {
    [ "$(lxc-info -n "$vmid" -sH 2>/dev/null)" = RUNNING ]
}

last_words() {
    {
        tail -n 20 "/run/pve/ct-$vmid.stderr" 2>/dev/null || :
        journalctl --no-pager -q -n 20 -u "pve-container@$vmid" 2>/dev/null || :
    } >&2
}

# inside TEXT: run it in the guest, without its words
inside() {
    lxc-attach -n "$vmid" --clear-env -- /bin/sh -c "$1" </dev/null >/dev/null 2>&1
}

if [ "${1:-start}" = reboot ] && running; then
    [ -z "$lost" ] || refuse "is not restarted, it would not come up again: missing on the node:$lost"
    pct reboot "$vmid" --timeout "$shutdown" || { last_words; refuse "could not be restarted"; }
elif ! running; then
    [ -z "$lost" ] || refuse "is not started: missing on the node:$lost"
    pct start "$vmid" || { last_words; refuse "could not be started"; }
fi

missing() {
    if ! running; then
        printf 'it does not run any more'
    elif ! inside :; then
        printf 'no shell answers'
    elif [ "$network" = 1 ] && ! lxc-info -n "$vmid" -iH 2>/dev/null | grep -q .; then
        printf 'it has no address'
    elif [ -n "$command" ] && ! inside "$command"; then
        printf '%s' "this fails inside: $command"
    fi
}

begun=$(date +%s)
while why=$(missing) && [ -n "$why" ]; do
    waited=$(($(date +%s) - begun))
    if [ "$waited" -ge "$seconds" ]; then
        last_words
        refuse "was started, and is not ready after $seconds s: $why"
    fi
    printf '%s\r' "$waited of $seconds s: $why"
    sleep 1
done
# Taken away from a clone: keys of its own. Where sshd could not start without them, it can now.
inside 'test -d /etc/ssh && ! ls /etc/ssh/ssh_host_*_key && command -v ssh-keygen && ssh-keygen -A &&
    { command -v systemctl && systemctl is-enabled ssh && systemctl restart ssh; }' || :
printf '%s\n' "$called runs"
