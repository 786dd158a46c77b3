#!/bin/sh
# samba_user:heads. Reads the password on stdin, twice, a line each, and sets it.
set -eu

user=heads
note=/var/lib/phoenix/made/samba_user/heads

if ! getent passwd "$user" >/dev/null; then
    useradd --system -M -s /usr/sbin/nologin "$user" </dev/null
    printf '%s\n' "made the account $user, without login"
fi
known=$(pdbedit -L </dev/null | cut -d: -f1 | grep -cxF "$user" || :)
if [ "$known" -eq 0 ]; then
    mkdir -p "$(dirname "$note")"
    : >"$note"
fi
smbpasswd -s -a "$user"
smbpasswd -e "$user" </dev/null
