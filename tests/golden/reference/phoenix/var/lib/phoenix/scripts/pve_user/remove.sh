#!/bin/sh
# pve_user. Called with a user and our note of it: removes both, but nobody who is the last administrator.
set -eu

user=$1 note=$2

# somebody_left USER PATH WHO: whether one who may do everything is left, once that user and that list are gone
somebody_left() {
    awk -F: -v user="$1" -v path="$2" -v who="$3" '
        BEGIN { there["root@pam"] = 1 }
        $1 == "user" { if ($3 == "1" && $2 != user) there[$2] = 1; else delete there[$2] }
        $1 == "group" { members[$2] = "," $3 "," }
        $1 == "acl" && $3 == "/" && index("," $5 ",", ",Administrator,") {
            count = split($4, named, ",")
            for (n = 1; n <= count; n++)
                if (path != "/" || named[n] != who) admin[named[n]] = 1
        }
        END {
            for (name in there) {
                if (name == "root@pam" || name in admin) left = 1
                for (group in members)
                    if (("@" group) in admin && index(members[group], "," name ",")) left = 1
            }
            exit !left
        }' /etc/pve/user.cfg
}

if ! somebody_left "$user" '' ''; then
    printf '%s\n' "$user is the last administrator: make another one first" >&2
    exit 1
fi
pveum user delete "$user"
rm -f "$note"
