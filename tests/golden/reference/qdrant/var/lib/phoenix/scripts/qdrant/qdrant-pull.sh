#!/bin/sh
# qdrant:qdrant
# Brings the images, each by its digest, unless they are there; what runs goes on with the old ones.
set -eu

images=qdrant/qdrant:v1.15.5@sha256:0fb8897412abc81d1c0430a899b9a81eb8328aa634e7242d1bc804c1fe8fe863

for image in $images; do
    if ! docker image inspect "$image" >/dev/null 2>&1; then
        said=$(docker pull -q "$image" 2>&1 </dev/null) || {
            printf '%s\n' "$said" | tail -n 3 >&2
            printf '%s\n' "$image cannot be had: what runs goes on as it is" >&2
            exit 1
        }
        printf '%s\n' "pulled $image"
    fi
done
