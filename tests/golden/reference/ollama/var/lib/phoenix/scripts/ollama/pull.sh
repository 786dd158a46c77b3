#!/bin/sh
# ollama. Called with a model, where Ollama answers, its folder, and where the model's manifest lies in it: lets the
# model be pulled, and says how far that is.
set -eu

model=$1 url=$2 folder=$3 manifest=$3/manifests/$4

# Ollama takes a part that is there for whole, however long it is: one that is cut goes first.
if [ -f "$manifest" ]; then
    grep -oE '"digest": *"sha256:[0-9a-f]{64}", *"size": *[0-9]+' "$manifest" | tr -d '" ' |
        while IFS=:, read -r _ _ digest _ size; do
            part=$folder/blobs/sha256-$digest
            if [ -f "$part" ] && [ "$(stat -c %s "$part")" != "$size" ]; then
                rm -f "$part"
                printf '%s\n' "removed $part, which was cut"
            fi
        done
fi
said=$(mktemp)
trap 'rm -f "$said"' EXIT
# Ollama keeps what came in part and goes on from there; a model is listed when all of it is there.
curl -sS -N --fail-with-body -H 'Content-Type: application/json' -d "{\"model\":\"$model\"}" "$url/api/pull" |
    tee "$said" |
    awk '{
        if (!match($0, /"status":"[^"]*"/)) next
        status = substr($0, RSTART + 10, RLENGTH - 11)
        total = completed = 0
        if (match($0, /"total":[0-9]+/)) total = substr($0, RSTART + 8, RLENGTH - 8)
        if (match($0, /"completed":[0-9]+/)) completed = substr($0, RSTART + 12, RLENGTH - 12)
        part = total > 0 ? int(100 * completed / total) : -1
        if (status != last || part != shown) {
            printf "%s%s\r", status, (part < 0 ? "" : sprintf(" %d %% of %d MB", part, total / 1e6))
            fflush()
        }
        last = status; shown = part
    }'
case $(tail -n 1 "$said") in
*'"status":"success"'*) printf '%s\n' "$model is there" ;;
*)
    printf '%s\n' "$model was not pulled: $(tail -n 1 "$said" | cut -c1-300)" >&2
    exit 1
    ;;
esac
