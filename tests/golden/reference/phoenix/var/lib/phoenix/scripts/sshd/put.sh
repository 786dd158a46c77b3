#!/bin/sh
# sshd. Our file of its settings. Called with a verb, by hand as well:
#   put           reads the file on stdin; it takes its place once sshd has read it with all others
#   remove        removes it
#   reload        tells sshd
#   arm SECONDS   what is done next is taken back after so long
#   disarm        what was done stays
#   revert        take it back now; what the timer calls
set -eu

file=/etc/ssh/sshd_config.d/00-phoenix.conf
main=/etc/ssh/sshd_config
waiting=/var/lib/phoenix/pending/ssh
name=sshd
unit=phoenix-sshd
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

tell() {
    systemctl try-reload-or-restart ssh
    rm -f "$waiting"
}

note() { # cut before sshd is told, the next run finds that it was not
    mkdir -p "$(dirname "$waiting")"
    : >"$waiting"
}

put_back() {
    cp -p "$1" "$file.new"
    mv -f "$file.new" "$file"
    tell
}

put_away() {
    rm -f "$file"
    tell
}

try() { # with the candidate $1 in the place of ours, and all other files as they are
    there=$(mktemp -d)
    trap 'rm -f "$there/main" "$there"/folder/*; rmdir "$there/folder" "$there"' EXIT
    [ -d /run/sshd ] || mkdir -m 0755 /run/sshd
    mkdir "$there/folder"
    for one in /etc/ssh/sshd_config.d/*.conf; do
        [ ! -f "$one" ] || cp -p "$one" "$there/folder"
    done
    cp "$1" "$there/folder/00-phoenix.conf"
    # sshd reads `Include sshd_config.d/*.conf` as below /etc/ssh
    sed -E "s#^([[:space:]]*[Ii]nclude[[:space:]].*)/etc/ssh/sshd_config\.d/#\1$there/folder/#
        s#^([[:space:]]*[Ii]nclude[[:space:]]+)sshd_config\.d/#\1$there/folder/#" "$main" >"$there/main"
    sshd -t -f "$there/main"
}

put() {
    umask 022
    mkdir -p "$(dirname "$file")"
    umask 077
    sent=$(mktemp)
    cat >"$sent"
    # The newlines around the end mark count: 26 bytes in all.
    if [ "$(tail -c 25 "$sent")" != "$end" ]; then
        rm -f "$sent"
        printf '%s\n' "the file came only in part: $file is as it was" >&2
        exit 1
    fi
    head -c -26 "$sent" >"$file.new"
    rm -f "$sent"
    chmod 644 "$file.new"
    if ! try "$file.new"; then
        rm -f "$file.new"
        printf '%s\n' "sshd cannot read that: $file is as it was" >&2
        exit 1
    fi
    note
    sync "$file.new"
    mv -f "$file.new" "$file"
    tell
}

case $1 in
put) put ;;
remove)
    note
    rm -f "$file"
    tell
    ;;
reload) tell ;;
arm) arm "$2" ;;
disarm) disarm ;;
revert) revert ;;
*) exit 2 ;;
esac
