#!/bin/sh
# qdrant. Reads the key on stdin; waits until Qdrant answers, then makes the declared collections that are missing.
set -eu

address=http://127.0.0.1:6333
patience=120

IFS= read -r key || :
case $key in
*[\"\\]*)
    printf '%s\n' "the key has a quote or a backslash in it, which curl cannot be told: declare another one" >&2
    exit 1
    ;;
esac
# ask ARGUMENTS…: prints the status; the key is an argument of nothing but what the shell has built in
ask() {
    printf 'header = "api-key: %s"\n' "$key" | curl -s -o /dev/null -w '%{http_code}' --max-time 10 -K - "$@" || :
}
# make NAME LENGTH DISTANCE
make() {
    case $(ask "$address/collections/$1") in
    200) return 0 ;;
    404) ;;
    401 | 403)
        printf '%s\n' "Qdrant does not take the declared key" >&2
        exit 1
        ;;
    esac
    body="{\"vectors\":{\"size\":$2,\"distance\":\"$3\"}}"
    made=$(ask -X PUT -H 'Content-Type: application/json' --data "$body" "$address/collections/$1")
    if [ "$made" != 200 ]; then
        printf '%s\n' "Qdrant does not make the collection $1: it answers $made" >&2
        exit 1
    fi
    printf '%s\n' "made the collection $1, for vectors of $2"
}

begun=$(date +%s)
until [ "$(ask "$address/readyz")" = 200 ]; do
    waited=$(($(date +%s) - begun))
    if [ "$waited" -ge "$patience" ]; then
        printf '%s\n' "Qdrant does not answer at $address after $patience seconds" >&2
        exit 1
    fi
    printf '%s\r' "$waited of $patience s"
    sleep 1
done
make code 768 Cosine
