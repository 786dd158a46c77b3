#!/bin/sh
# pve_acl:/ admin@pam. Gives the declared roles; called with the roles that are to go, if there are some.
set -eu

note=/var/lib/phoenix/made/pve_acl/%20admin%40pam
name='/ admin@pam'

if [ ! -e "$note" ]; then
    # The note comes first: cut in between, it names a list that is not there, which harms nothing.
    mkdir -p "$(dirname "$note")"
    printf '%s\n' "$name" >"$note"
fi
pveum acl modify / --users admin@pam --roles Administrator --propagate 1
if [ "$#" -gt 0 ]; then
    pveum acl delete / --users admin@pam --roles "$1"
fi
