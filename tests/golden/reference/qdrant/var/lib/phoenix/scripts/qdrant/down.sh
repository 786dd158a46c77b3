#!/bin/sh
# qdrant
# Called with a project, its folder, its note, perhaps `volumes`: removes its containers, with it its volumes.
set -eu

project=$1 folder=$2 note=$3 volumes=${4:-}

cd /
set -- -p "$project"
# What Compose made has its label: it is found without the file as well.
[ ! -e "$folder/compose.yaml" ] || set -- "$@" --project-directory "$folder" -f "$folder/compose.yaml"
set -- "$@" down --remove-orphans
[ -z "$volumes" ] || set -- "$@" --volumes
docker compose "$@" </dev/null
if [ -e "$note" ]; then
    sed -n 's/^image //p' "$note" | while read -r image; do
        docker image rm "$image" >/dev/null 2>&1 || :
    done
fi
rm -f "$folder/.env" "$folder/compose.yaml" "$note" "/var/lib/phoenix/pending/compose-$project"
# What the containers wrote beside them is somebody's data.
rmdir "$folder" 2>/dev/null || [ ! -d "$folder" ] || printf '%s\n' "$folder is left: it is not empty"
