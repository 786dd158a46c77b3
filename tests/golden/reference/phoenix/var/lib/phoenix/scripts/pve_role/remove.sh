#!/bin/sh
# pve_role. Called with a role and our note of it: removes both, but no role that somebody has.
set -eu

role=$1 note=$2

users=$(awk -F: -v role="$role" '
    $1 == "acl" && index("," $5 ",", "," role ",") { printf "%s%s at %s", mark, $4, $3; mark = "; " }
    ' /etc/pve/user.cfg)
if [ -n "$users" ]; then
    printf '%s\n' "the role $role is still given to $users: take it away there first" >&2
    exit 1
fi
pveum role delete "$role"
rm -f "$note"
