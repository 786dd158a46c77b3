#!/bin/sh
# qdrant:qdrant
# Reads the values of variables on stdin, and puts them in their place, whole or not at all.
set -eu

path=/srv/phoenix/qdrant/.env
note=/var/lib/phoenix/made/qdrant/qdrant
waiting=/var/lib/phoenix/pending/compose-qdrant

refuse() {
    printf '%s\n' "$path is not written: $1" >&2
    exit 1
}

umask 022
mkdir -p "$(dirname "$path")" "$(dirname "$note")" "$(dirname "$waiting")"
umask 077
new=$(mktemp "$path.XXXXXX")
trap 'rm -f "$new"' EXIT
cat >"$new"
[ "$(tail -n 1 "$new")" = '-- it ends here --' ] || refuse "its content came only in part"
sed -i '$d' "$new"
# Of what a line looks like, nothing is said: it may be a secret.
if grep -vq -e '^#' -e "^[A-Z][A-Z0-9_]*='[^']*'\$" "$new"; then
    refuse "a value has a ' or a line break in it, which Compose cannot read back"
fi
# The note comes first: cut in between, it names what is not there yet, which harms nothing.
grep -sqxF "maker $(uname -n)" "$note" || {
    if [ -e "$note" ]; then sed -i '/^maker /d' "$note"; fi
    printf '%s\n' "maker $(uname -n)" >>"$note"
}
chmod 644 "$note"
: >"$waiting"
sync "$new"
mv -f "$new" "$path"
printf '%s\n' "wrote $path"
