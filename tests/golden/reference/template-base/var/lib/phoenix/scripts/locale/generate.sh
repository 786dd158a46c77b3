#!/bin/sh
# locale. Generates what is missing, and sets the default; notes the default there was before.
set -eu

default=en_US.UTF-8
note=/var/lib/phoenix/made/locale/default
export LC_ALL=C

command -v locale-gen >/dev/null || {
    printf '%s\n' 'locale-gen is missing: it is in the package locales' >&2
    exit 1
}
if [ ! -e "$note" ]; then
    mkdir -p "$(dirname "$note")"
    before=$(sed -n 's/^LANG=//p' /etc/default/locale 2>/dev/null | tr -d '"') || before=
    printf '%s\n' "$before" >"$note"
fi
missing=
for name in en_US.UTF-8; do
    line="$name UTF-8"
    if ! grep -qsxF "$line" /etc/locale.gen; then
        printf '%s\n' "$line" >>"$note"
        printf '%s\n' "$line" >>/etc/locale.gen
    fi
    locale -a | grep -qxF "${name%.UTF-8}.utf8" || missing="$missing $name"
done
[ -z "$missing" ] || locale-gen
update-locale "LANG=$default"
printf '%s\n' "the default is $default${missing:+, generated$missing}"
