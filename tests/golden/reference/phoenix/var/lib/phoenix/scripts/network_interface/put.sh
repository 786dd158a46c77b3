#!/bin/sh
# network_interface. Files of interfaces of ours, and how they are loaded. Called with a verb, by hand as well:
#   put NAME         reads the file on stdin; it takes its place
#   take NAME FILE   reads lines on stdin, and what comes instead of them: takes them out of somebody else's file
#   remove NAME      removes ours, and puts back what was taken out for it
#   load             has all files read, and then loaded by ifreload
#   arm SECONDS      what is loaded next is taken back after so long
#   disarm           what was done stays
#   revert           take it back now; what the timer calls
# What put, take and remove find is kept until a new connection has confirmed what became of it.
set -eu

file=/etc/network
name=network
unit=phoenix-network
ours=/etc/network/interfaces.d/phoenix-
kept=/var/lib/phoenix/kept/network_interface
parts='whole lines rest file'
end='-- the file ends here --'
instead='-- and instead of it --'

# What takes a changed file back by itself, unless a new connection says in time that it arrived.
# Needs $file, $name and $unit, and `put_back OLD` and `put_away`: the file as it was, or not there at all.
# What changes are several files, each noted before it is changed: their names are in $armed, they in $before.
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

refuse() {
    printf '%s\n' "$1" >&2
    exit 1
}

note() { # the file $1 as it is before the first change that nobody has confirmed
    alone
    if [ ! -e "$armed" ]; then
        rm -f "$before"
        : >"$armed"
    fi
    if ! grep -qxF "$1" "$armed"; then
        [ ! -e "$1" ] || tar -C / -rf "$before" "${1#/}"
        printf '%s\n' "$1" >>"$armed"
    fi
    exec 9>&-
}

replace() { # the file $1 by $2
    hidden=$(dirname "$1")/.$(basename "$1").new # `source` reads no hidden files
    cat "$2" >"$hidden"
    chmod 644 "$hidden"
    sync "$hidden"
    mv -f "$hidden" "$1"
}

files_back() {
    while IFS= read -r one; do
        if [ -e "$before" ] && tar -tf "$before" "${one#/}" >/dev/null 2>&1; then
            tar -C / -xpf "$before" "${one#/}"
        else
            rm -f "$one"
        fi
    done <"$armed"
}

reloaded() { # whoever listens may be cut off by it: it must not die of that
    heard=$(mktemp)
    tries=0
    while ! ifreload -a >"$heard" 2>&1; do
        tries=$((tries + 1))
        if [ "$tries" -gt 60 ] || ! grep -qi 'another instance' "$heard"; then
            cat "$heard" >&2
            rm -f "$heard"
            return 1
        fi
        sleep 1
    done
    rm -f "$heard"
}

put_back() { put_away; }

put_away() {
    files_back
    reloaded || : # as far as it goes
}

received() { # stdin, whole, in $sent
    sent=$(mktemp)
    trap 'rm -f "$sent" "$sent.old" "$sent.new" "$sent.rest"' EXIT
    cat >"$sent"
    [ "$(tail -n 1 "$sent")" = "$end" ] || refuse "it came only in part: nothing is changed"
    sed -i '$d' "$sent"
}

put() {
    received
    note "$ours$1"
    mkdir -p "$(dirname "$ours$1")"
    replace "$ours$1" "$sent"
    printf '%s\n' "wrote $ours$1"
}

take() {
    received
    [ -e "$2" ] || refuse "$2 is gone meanwhile: nothing is changed"
    sed "/^$instead\$/,\$d" "$sent" >"$sent.old"
    sed "1,/^$instead\$/d" "$sent" >"$sent.new"
    awk -v old="$sent.old" -v new="$sent.new" '
        BEGIN {
            while ((getline one <old) > 0) was[++n] = one
            while ((getline one <new) > 0) becomes[++m] = one
        }
        { line[NR] = $0 }
        END {
            for (at = 1; at + n - 1 <= NR; at++) {
                for (i = 1; i <= n && line[at + i - 1] "" == was[i] ""; i++);
                if (i > n) break
            }
            if (at + n - 1 > NR) exit 3
            for (i = 1; i < at; i++) print line[i]
            for (i = 1; i <= m; i++) print becomes[i]
            for (i = at + n; i <= NR; i++) print line[i]
        }' "$2" >"$sent.rest" || refuse "$2 says something else meanwhile: nothing is changed"
    number=1
    while [ -e "$kept/$1/$number/file" ]; do number=$((number + 1)); done
    from=$kept/$1/$number
    for one in $parts; do note "$from/$one"; done
    mkdir -p "$from"
    cp -p "$2" "$from/whole"
    cp "$sent.old" "$from/lines"
    cp "$sent.rest" "$from/rest"
    printf '%s\n' "$2" >"$from/file"
    note "$2"
    replace "$2" "$sent.rest"
    printf '%s\n' "took $1 out of $2; it is kept in $from"
}

give_back() { # what was taken out of somebody else's file: in its place where nothing else changed
    number=1
    while [ -e "$kept/$1/$number/file" ]; do number=$((number + 1)); done
    while number=$((number - 1)) && [ "$number" -gt 0 ]; do
        from=$kept/$1/$number
        where=$(cat "$from/file")
        for one in $parts; do note "$from/$one"; done
        note "$where"
        if cmp -s "$where" "$from/rest"; then
            replace "$where" "$from/whole"
        elif ! cmp -s "$where" "$from/whole"; then
            { [ ! -e "$where" ] || cat "$where"; cat "$from/lines"; } >"$from/new"
            replace "$where" "$from/new"
        fi
        rm -f "$from/file" "$from/whole" "$from/lines" "$from/rest" "$from/new"
        rmdir "$from"
    done
    rmdir "$kept/$1"/* "$kept/$1" 2>/dev/null || : # what a change that was taken back has left
}

remove() {
    guests=$(ip -br link show master "$1" 2>/dev/null | grep -oE '^(tap|veth|fwpr)[0-9]+[ip][0-9]+' || :)
    [ -z "$guests" ] || refuse "guests hang on $1, and would be cut off: $(printf '%s' "$guests" | tr '\n' ' ')"
    note "$ours$1"
    rm -f "$ours$1"
    give_back "$1"
    printf '%s\n' "removed $ours$1"
}

forget() { # what nobody needs to confirm any more
    alone
    rm -f "$armed" "$before"
    systemctl stop "$unit.timer" 2>/dev/null || :
}

about_ours() { # whether something that was said is about what changed: others have their own faults
    [ -e "$armed" ] || return 1
    sed -n "s|^$ours||p" "$armed" >"$armed.names"
    found=0
    printf '%s\n' "$1" | grep -qwFf "$armed.names" || found=1
    rm -f "$armed.names"
    return "$found"
}

load() {
    if ! wrong=$(ifreload -a --syntax-check 2>&1) && about_ours "$wrong"; then
        files_back
        forget
        refuse "the files are as they were: $wrong"
    fi
    if ! wrong=$(reloaded 2>&1); then
        if about_ours "$wrong"; then
            put_away
            forget
            refuse "the files are as they were, and loaded again: $wrong"
        fi
        printf '%s\n' "ifreload complains of what is not ours: $wrong"
    fi
}

verb=$1
shift
case $verb in
put | take | remove | load | arm | disarm | revert) "$verb" "$@" ;;
*) refuse "there is no $verb here" ;;
esac
