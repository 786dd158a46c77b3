#!/bin/sh
# unix_user. Called with an account and our note of it: removes it and its rules of sudo, never its home.
set -eu

user=$1 note=$2

if [ "$(id -u "$user" 2>/dev/null || :)" = 0 ]; then
    printf '%s\n' "$user is root, whatever it is called: it is not removed" >&2
    exit 1
fi
rm -f "/etc/sudoers.d/phoenix-$user"
userdel "$user"
rm -f "$note"
