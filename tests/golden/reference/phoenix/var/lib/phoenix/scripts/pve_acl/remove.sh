#!/bin/sh
# pve_acl. Called with a path, who, pveum's option for that sort, and our note: takes all roles there away.
set -eu

path=$1 who=$2 option=$3 note=$4

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

if ! somebody_left '' "$path" "$who"; then
    printf '%s\n' "$who would be no administrator any more, and is the last one: make another one first" >&2
    exit 1
fi
roles=$(awk -F: -v path="$path" -v who="$who" '
    $1 == "acl" && $3 == path && index("," $4 ",", "," who ",") { printf "%s%s", mark, $5; mark = "," }
    ' /etc/pve/user.cfg)
[ -z "$roles" ] || pveum acl delete "$path" "$option" "${who#@}" --roles "$roles"
rm -f "$note"
