#!/bin/sh
# locale. Called with our note: sets the default of before, takes our lines out of /etc/locale.gen.
set -eu

note=$1
export LC_ALL=C

[ -e "$note" ] || exit 0
before=$(sed -n 1p "$note")
update-locale "LANG${before:+=$before}"
sed 1d "$note" | while read -r line; do
    new=$(grep -vxF "$line" /etc/locale.gen || :)
    printf '%s\n' "$new" >/etc/locale.gen
done
rm -f "$note"
printf '%s\n' "the default is ${before:-none} again"
