#!/bin/sh
# firewall_cluster: puts a file of the firewall in its place, and takes it back.
set -eu

# Called with a verb and a file of the firewall below /etc/pve, by hand as well:
#   arm FILE SECONDS                      take what is done next to the file back after so long
#   put FILE MARK keep|overwrite PROBE…   reads the file on stdin; PROBE is `address port` that must get in
#   remove FILE MARK                      removes it, puts back what was there before ours
#   disarm FILE                           what was done stays
#   revert FILE                           take it back now; what the timer calls
# /etc/pve knows no modes and no owners of files, but it knows renames: a file is there whole or not at all.

verb=$1 file=$2
folder=/var/lib/phoenix/firewall
name=$(basename "$file" .fw)
armed=$folder/$name.armed before=$folder/$name.before
kept=/var/lib/phoenix/kept/firewall/$name
unit=phoenix-firewall-$name
mark_of() { printf '# Written by phoenix: %s. Changed by hand, it is written again.' "$1"; }
end='-- the file ends here --'

umask 077
mkdir -p "$folder" "$(dirname "$kept")"

refuse() {
    printf '%s\n' "$file is left as it was: $1" >&2
    exit 1
}

alone() { # one of these at a time: the timer must not run into a confirmation
    exec 9>>"$folder/$name.lock"
    flock 9
}

replace() { # with the file $1, or with nothing when there is none
    if [ -e "$1" ]; then
        cp "$1" "$file.phoenix-new"
        mv -f "$file.phoenix-new" "$file"
    else
        rm -f "$file"
    fi
}

reload() {
    systemctl enable pve-firewall
    systemctl reload-or-restart pve-firewall
}

settled() { # the daemon reads its files again by and by
    tries=0
    while [ "$tries" -lt 30 ]; do
        case $(pve-firewall status 2>/dev/null) in
            "Status: enabled/running" | "Status: disabled/running"*) return 0 ;;
        esac
        tries=$((tries + 1))
        sleep 1
    done
    echo "pve-firewall does not run with the new rules after 30 seconds" >&2
    return 1
}

ours() { [ -e "$file" ] && [ "$(head -n 1 "$file")" = "$(mark_of "$1")" ]; }

arm() {
    alone
    if [ ! -e "$armed" ]; then # else the older state is what is to come back
        rm -f "$before"
        [ ! -e "$file" ] || cp "$file" "$before"
        : >"$armed"
    fi
    systemctl stop "$unit.timer" 2>/dev/null || :
    exec 9>&-
    systemd-run --quiet --collect --unit="$unit" --on-active="$1" --timer-property=AccuracySec=100ms \
        sh "$0" revert "$file"
}

revert() {
    alone
    [ -e "$armed" ] || exit 0
    replace "$before"
    rm -f "$armed" "$before"
    reload
    printf '%s\n' "took back the change of $file: nobody confirmed it"
}

disarm() {
    alone
    if [ ! -e "$armed" ]; then
        printf '%s\n' "the node took back the change of $file before this connection came" >&2
        exit 1
    fi
    rm -f "$armed" "$before"
    systemctl stop "$unit.timer" 2>/dev/null || :
}

proven() { # the real tools read only what is in its place: so it is put there, looked at, taken away again
    said=$(pve-firewall compile 2>&1 >/dev/null) || { printf '%s\n' "$said"; return 1; }
    wrong=$(printf '%s\n' "$said" | grep -F "$file " || :)
    [ -z "$wrong" ] || { printf '%s\n' "$wrong"; return 1; }
    [ "$(sed -n 's/^enable: *//p' /etc/pve/firewall/cluster.fw 2>/dev/null)" = 1 ] || return 0
    for probe in "$@"; do
        said=$(pve-firewall simulate --from outside --to host --protocol tcp \
            --source "${probe% *}" --dport "${probe#* }" 2>&1) || continue # it does not know every rule
        case $said in
            *"ACTION: DROP"* | *"ACTION: REJECT"*)
                printf '%s\n' "the firewall would not let in $probe"
                return 1
                ;;
        esac
    done
}

put() {
    mark=$1 overwrite=$2
    shift 2
    sent=$(mktemp "$folder/$name.XXXXXX")
    previous=$(mktemp "$folder/$name.XXXXXX")
    trap 'rm -f "$sent" "$sent.text" "$previous"' EXIT
    cat >"$sent"
    # The newlines around the end mark count: 26 bytes in all.
    [ "$(tail -c 25 "$sent")" = "$end" ] || refuse "its content came only in part"
    head -c -26 "$sent" >"$sent.text"
    if [ -e "$file" ]; then
        if ! ours "$mark"; then
            [ "$overwrite" = overwrite ] || refuse "it is somebody else's"
            cp "$file" "$kept"
            printf '%s\n' "kept what was there as $kept"
        fi
        cp "$file" "$previous"
    else
        rm -f "$previous"
    fi
    mkdir -p "$(dirname "$file")"
    replace "$sent.text"
    if ! wrong=$(proven "$@"); then
        replace "$previous"
        refuse "$wrong"
    fi
    reload
    settled
    printf '%s\n' "wrote $file"
}

remove() {
    if [ -e "$kept" ] && { [ ! -e "$file" ] || ours "$1"; }; then
        replace "$kept"
        rm -f "$kept"
    else
        rm -f "$file"
    fi
    reload
    settled
    printf '%s\n' "removed $file"
}

shift 2
case $verb in
    arm | put | remove | revert | disarm) "$verb" "$@" ;;
    *) refuse "there is no $verb here" ;;
esac
