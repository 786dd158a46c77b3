#!/bin/sh
# hostname. Gives the host's own line in /etc/hosts the declared address and domain; keeps other aliases on it.
set -eu

file=/etc/hosts
note=/var/lib/phoenix/made/hostname/line
label=phoenix
full=phoenix.home.arpa
address=10.0.0.13

new=$(mktemp "$file.XXXXXX")
trap 'rm -f "$new" "${old:-}"' EXIT
old=$(mktemp "$file.XXXXXX")
awk -v label="$label" -v full="$full" -v address="$address" -v old="$old" '
    function six(text) { return index(text, ":") > 0 }
    # The first line of the same family that has the name, with a domain or without.
    function own(   n) {
        if (done || $1 ~ /^#/ || six($1) != six(address)) return 0
        for (n = 2; n <= NF && $n !~ /^#/; n++) if ($n == label) return 1
        return 0
    }
    function rest(   n, text) {
        text = ""
        for (n = 2; n <= NF; n++)
            if ($n != label && $n != full && index($n, label ".") != 1) text = text " " $n
        return text
    }
    own() { print >old; print address " " full (full == label ? "" : " " label) rest(); done = 1; next }
    { print }
    END { if (!done) print address " " full (full == label ? "" : " " label) }' "$file" >"$new"
if [ ! -e "$note" ]; then
    mkdir -p "$(dirname "$note")"
    cat "$old" >"$note"
fi
chmod --reference="$file" "$new"
sync "$new"
mv -f "$new" "$file"
printf '%s\n' "$file says $address $full"
