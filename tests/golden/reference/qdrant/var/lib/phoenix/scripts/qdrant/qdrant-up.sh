#!/bin/sh
# qdrant:qdrant
# Makes the containers those of the files, and starts them; `restart` stops them first. Volumes are kept.
set -eu

project=qdrant
folder=/srv/phoenix/qdrant
note=/var/lib/phoenix/made/qdrant/qdrant
waiting=/var/lib/phoenix/pending/compose-qdrant
patience=120
images=qdrant/qdrant:v1.15.5@sha256:0fb8897412abc81d1c0430a899b9a81eb8328aa634e7242d1bc804c1fe8fe863
secrets=''

compose() {
    docker compose --project-directory "$folder" -p "$project" -f "$folder/compose.yaml" "$@" 2>&1 </dev/null
}
# told: what is read is told, without lines that hold a secret
told() {
    : >"$values"
    for name in $secrets; do
        sed -n "s/^$name='\(..*\)'\$/\1/p" "$folder/.env" >>"$values"
    done
    if [ -s "$values" ]; then grep -vFf "$values" >&2 || :; else cat >&2; fi
}

values=$(mktemp)
trap 'rm -f "$values"' EXIT
[ "${1-}" != restart ] || compose restart >/dev/null || :
if ! said=$(compose up -d --remove-orphans --wait --wait-timeout "$patience"); then
    printf '%s\n' "$said" | grep -v -e ' Created$' -e ' Started$' -e ' Running$' -e ' Waiting$' | tail -n 3 | told
    compose logs --no-color --tail 8 | told
    exit 1
fi
rm -f "$waiting"
printf '%s\n' "$project is up"
# Images that were its own and are no longer: one that another container uses stays.
sed -n 's/^image //p' "$note" | while read -r image; do
    case " $images " in
    *" $image "*) ;;
    *) docker image rm "$image" >/dev/null 2>&1 || : ;;
    esac
done
sed -i '/^image /d' "$note"
for image in $images; do
    printf '%s\n' "image $image" >>"$note"
done
