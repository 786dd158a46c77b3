#!/bin/sh
# unix_user:admin. Its authorized keys. Called with a verb, by hand as well:
#   put remove|keep   reads the keys on stdin, and removes or keeps all others
#   arm SECONDS       what is done next is taken back after so long
#   disarm            what was done stays
#   revert            take it back now; what the timer calls
# The folder is the user's own and may hold links to anywhere: so the user writes, not root.
set -eu

user=admin
home=$(awk -F: -v user="$user" '$1 == user { print $6 }' /etc/passwd)
file=$home/.ssh/authorized_keys
name=keys-$user
unit=phoenix-keys-$user
end='-- the file ends here --'

# What takes a changed file back by itself, unless a new connection says in time that it arrived.
# Needs $file, $name and $unit, and `put_back OLD` and `put_away`: the file as it was, or not there at all.
folder=/var/lib/phoenix/before
armed=$folder/$name.armed before=$folder/$name.before

alone() { # one of these at a time: the timer must not run into a confirmation
    mkdir -p "$folder"
    chmod 700 "$folder"
    exec 9>>"$folder/$name.lock"
    flock 9
}

arm() {
    alone
    if [ ! -e "$armed" ]; then # else the older state is what is to come back
        rm -f "$before"
        [ ! -e "$file" ] || cp -p "$file" "$before"
        : >"$armed"
    fi
    systemctl stop "$unit.timer" 2>/dev/null || :
    exec 9>&-
    systemd-run --quiet --collect --unit="$unit" --on-active="$1" --timer-property=AccuracySec=100ms \
        sh "$0" revert
}

revert() {
    alone
    [ -e "$armed" ] || exit 0
    if [ -e "$before" ]; then put_back "$before"; else put_away; fi
    rm -f "$armed" "$before"
    printf '%s\n' "took back the change of $file: nobody confirmed it"
}

disarm() {
    alone
    if [ ! -e "$armed" ]; then
        printf '%s\n' "the change of $file was taken back before this connection came" >&2
        exit 1
    fi
    rm -f "$armed" "$before"
    systemctl stop "$unit.timer" 2>/dev/null || :
}

write() { # the new content comes on stdin
    # shellcheck disable=SC2016
    runuser -u "$user" -- sh -c '
        set -eu
        umask 077
        mkdir -p "$1/.ssh"
        chmod 700 "$1/.ssh"
        new=$(mktemp "$1/.ssh/authorized_keys.XXXXXX")
        trap '\''rm -f "$new"'\'' EXIT
        cat >"$new"
        chmod 600 "$new"
        mv -fT "$new" "$1/.ssh/authorized_keys"' sh "$home"
}

put_back() { write <"$1"; }

put_away() { runuser -u "$user" -- rm -f "$file"; }

put() {
    sent=$(mktemp)
    trap 'rm -f "$sent"' EXIT
    cat >"$sent"
    # The newlines around the end mark count: 26 bytes in all.
    if [ "$(tail -c 25 "$sent")" != "$end" ]; then
        printf '%s\n' "the keys came only in part: $file is as it was" >&2
        exit 1
    fi
    if [ ! -d "$home" ]; then
        mkdir -p "$(dirname "$home")"
        mkdir -m 700 "$home"
        chown "$user:" "$home"
        printf '%s\n' "made the home $home"
    fi
    {
        head -c -26 "$sent"
        if [ "$1" = keep ] && [ -f "$file" ] && [ ! -h "$file" ]; then
            printf '\n'
            cat "$file"
        fi
    } | awk '!there[$0]++ && $0 != ""' | write
}

case $1 in
put) put "$2" ;;
arm) arm "$2" ;;
disarm) disarm ;;
revert) revert ;;
*) exit 2 ;;
esac
