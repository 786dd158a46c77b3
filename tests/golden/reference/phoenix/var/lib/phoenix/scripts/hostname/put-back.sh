#!/bin/sh
# hostname. Puts the host's own line of /etc/hosts back as it was, or takes it out if there was none.
set -eu

file=/etc/hosts
note=/var/lib/phoenix/made/hostname/line

[ -e "$note" ] || exit 0
read -r label </etc/hostname
new=$(mktemp "$file.XXXXXX")
trap 'rm -f "$new"' EXIT
awk -v label="$label" '
    FILENAME == ARGV[1] { before = $0; next }
    function own(   n) {
        if (done || $1 ~ /^#/ || (before != "" && index($1, ":") != 0 && index(before, ":") == 0)) return 0
        for (n = 2; n <= NF && $n !~ /^#/; n++) if ($n == label) return 1
        return 0
    }
    own() { if (before != "") print before; done = 1; next }
    { print }' "$note" "$file" >"$new"
chmod --reference="$file" "$new"
sync "$new"
mv -f "$new" "$file"
rm -f "$note"
printf '%s\n' "put back our line of $file"
