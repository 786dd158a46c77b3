#!/bin/sh
# pve_user:admin@pam. Called with what `pveum user` is called with; makes the groups first.
set -eu

note=/var/lib/phoenix/made/pve_user/admin@pam
config=/etc/pve/user.cfg
groups=''

for group in $groups; do
    if ! grep -q "^group:$group:" "$config" 2>/dev/null; then
        pveum group add "$group"
        printf '%s\n' "made the group $group"
    fi
done
if [ "$1" = add ]; then
    # The note comes first: cut in between, it names a user that is not there, which harms nothing.
    mkdir -p "$(dirname "$note")"
    : >"$note"
fi
pveum user "$@"
