#!/bin/sh
# apt_repository. Called with a file of APT's sources, our note, and where to keep it: switches off what it names.
set -eu

file=$1 note=$2 kept=$3

[ -e "$file" ] || { printf '%s\n' "there is no $file: nothing to switch off"; exit 0; }
new=$(mktemp "$file.XXXXXX")
trap 'rm -f "$new"' EXIT
case $file in
*.list) sed 's/^[[:space:]]*deb\(-src\)\{0,1\}[[:space:]]/# &/' "$file" >"$new" ;;
*)
    # Each stanza gets one `Enabled: no`, before its first field.
    awk '
        /^[[:space:]]*$/ { inside = 0; print; next }
        /^#/ { print; next }
        !inside { inside = 1; print "Enabled: no" }
        { field = tolower($0) }
        field ~ /^enabled[[:space:]]*:/ { next }
        { print }' "$file" >"$new"
    ;;
esac
if cmp -s "$new" "$file"; then
    exit 0
fi
mkdir -p "$(dirname "$note")" "$(dirname "$kept")"
cp -p "$file" "$kept"
printf '%s\n%s\n' "$file" "$(sha256sum <"$new" | cut -c1-64)" >"$note"
chmod --reference="$file" "$new"
sync "$new"
mv -f "$new" "$file"
printf '%s\n' "switched off what $file names; as it was, it is kept as $kept"
