#!/bin/sh
# journal_sender. Puts our drop-in for its unit in its place, whole or not at all.
set -eu

# Called with a path, our note and the note that what runs is to be told (or nothing); reads the content on stdin.
path=$1 note=$2 waiting=$3
end='-- the unit ends here --'

refuse() {
    printf '%s\n' "$path is not written: $1" >&2
    exit 1
}

if [ ! -h "$path" ] && [ -e "$path" ] && [ ! -f "$path" ]; then
    refuse "it is not a file"
fi
umask 022
mkdir -p "$(dirname "$path")" "$(dirname "$note")"
folder=$(mktemp -d "$(dirname "$path")/.phoenix.XXXXXX")
trap 'rm -f "$folder"/*; rmdir "$folder"' EXIT
# systemd-analyze looks at a file by what its name ends in: that of a drop-in is its unit's.
case $path in
*.d/zz-phoenix.conf) unit=$(basename "$(dirname "$path")" .d) drop_in=1 ;;
*) unit=$(basename "$path") drop_in= ;;
esac
new=$folder/$unit
cat >"$folder/sent"
[ "$(tail -c 26 "$folder/sent")" = "
$end" ] || refuse "its content came only in part"
# The newlines around the end mark count: 26 bytes in all.
head -c -26 "$folder/sent" >"$new"
chmod 0644 "$new"
if [ -z "$drop_in" ] && command -v systemd-analyze >/dev/null; then
    # A template cannot be looked at, only an instance of it.
    case $unit in
    *@.*) ;;
    *)
        systemd-analyze verify --man=no --recursive-errors=no "$new" >"$folder/said" 2>&1 || {
            sed "s|$folder/||" "$folder/said" >&2
            refuse "systemd-analyze does not accept it"
        }
        ;;
    esac
fi
if [ ! -e "$note" ] && { [ -e "$path" ] || [ -h "$path" ]; } && ! cmp -s "$new" "$path"; then
    refuse "somebody else made a file there"
fi
# The notes come first: cut in between, they name a file that is not there yet, which harms nothing.
# The last line says who made it: a clone takes over the notes of its layer.
printf '%s\n%s\n' "$path" "$(uname -n)" >"$note"
if [ -n "$waiting" ]; then
    mkdir -p "$(dirname "$waiting")"
    : >"$waiting"
fi
sync "$new"
mv -f "$new" "$path"
printf '%s\n' "wrote $path"
systemctl daemon-reload
