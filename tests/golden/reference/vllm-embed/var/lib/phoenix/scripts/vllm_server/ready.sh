#!/bin/sh
# vllm_server. Waits until a server has loaded its model.
set -eu

# Called with a unit, an address that answers 200 when it is ready, and how many seconds it may take. Says how far it
# is, each time over what it said before; a unit that dies meanwhile is told with the last lines of its journal.
unit=$1 url=$2 seconds=$3

begun=$(date +%s)
looked=0
words=

last() {
    journalctl -u "$unit" -n "$1" -o cat --no-pager -q || :
}

until [ "$(curl -s -o /dev/null -m 5 -w '%{http_code}' "$url" || :)" = 200 ]; do
    waited=$(($(date +%s) - begun))
    case $(systemctl show -p ActiveState,SubState "$unit" | tr '\n' ' ') in
    *=failed* | *=inactive* | *=auto-restart*)
        printf '%s\n' "$unit was started and died; the last lines of its journal:" >&2
        last 8 >&2
        exit 1
        ;;
    esac
    if [ "$waited" -ge "$seconds" ]; then
        printf '%s\n' "$unit runs and $url does not answer after $waited s; the last lines of its journal:" >&2
        last 8 >&2
        exit 1
    fi
    if [ $((waited - looked)) -ge 5 ]; then
        looked=$waited
        words=$(last 1 | tail -n 1)
    fi
    printf '%s\r' "$waited of $seconds s${words:+: $words}"
    sleep 1
done
printf '%s\n' "$unit is ready after $(($(date +%s) - begun)) s"
