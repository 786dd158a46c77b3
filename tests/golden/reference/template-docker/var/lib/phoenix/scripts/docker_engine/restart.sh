#!/bin/sh
# docker_engine. Starts the daemon with its settings as they are now; if it does not start, with those of before.
set -eu

file=/etc/docker/daemon.json
before=/var/lib/phoenix/kept/docker_engine/daemon.json.before
waiting=/var/lib/phoenix/pending/docker.service

# enabled with their packages; `enable` says what it links, again and again
systemctl enable containerd.service docker.service 2>/dev/null
if systemctl restart docker.service; then
    rm -f "$waiting" "$before"
    printf '%s\n' "restarted docker"
    exit 0
fi
journalctl -q -n 8 --no-pager -o cat -u docker.service 2>/dev/null >&2 || :
if [ -e "$before" ]; then
    mv -f "$before" "$file"
    systemctl restart docker.service && printf '%s\n' "docker runs again, with its settings of before" >&2
fi
exit 1
