#!/bin/sh
# samba_share. Lists our shares' files in /etc/samba/phoenix.conf, and includes that at the end of smb.conf.
set -eu

list=/etc/samba/phoenix.conf
main=/etc/samba/smb.conf

new=$(mktemp "$list.XXXXXX")
trap 'rm -f "$new"' EXIT
printf '%s\n' '# Written by phoenix: samba_share. Changed by hand, it is written again.' >"$new"
for share in /etc/samba/phoenix.d/*.conf; do
    [ ! -e "$share" ] || printf 'include = %s\n' "$share" >>"$new"
done
if cmp -s "$new" "$list"; then
    rm -f "$new"
else
    chmod 644 "$new"
    mv -f "$new" "$list"
    printf '%s\n' "wrote $list"
fi

[ -e "$main" ] || { printf '%s\n' "there is no $main: is Samba installed?" >&2; exit 1; }
if ! grep -qE '^[[:space:]]*include[[:space:]]*=[[:space:]]*/etc/samba/phoenix\.conf[[:space:]]*$' "$main"; then
    # At the end: an include is read in place, and what follows it would belong to our last share.
    new=$(mktemp "$main.XXXXXX")
    cat "$main" >"$new"
    [ -z "$(tail -c 1 "$main")" ] || printf '\n' >>"$new"
    printf 'include = %s\n' "$list" >>"$new"
    chmod --reference="$main" "$new"
    mv -f "$new" "$main"
    printf '%s\n' "included $list in $main"
fi
