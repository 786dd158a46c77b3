#!/bin/sh
# ct_template:ubuntu-24.04. Fetches the archive when it is not there or not the declared one.
set -eu

volume=fastData-shared-iso:vztmpl/ubuntu-24.04-standard_24.04-2_amd64.tar.zst
url=''
note=/var/lib/phoenix/made/ct_template/ubuntu-24.04
checked=1

refuse() {
    printf '%s\n' "$volume: $1" >&2
    exit 1
}

# fits FILE: whether it has the declared checksums
fits() {
    [ "$(sha512sum <"$1" | cut -d' ' -f1)" = 45c2978e6b97fe292ada95fe06834276015e5739a594db4de2fdfd830fa0c37942e8ae118fc1e32ffd9154b3f9378b592738b668ea3957db41f2907b86f219de ] || return 1
    return 0
}

# known how|url: what our note says of this archive: whether we fetched it, and from where
known() {
    [ ! -e "$note" ] || awk -F '\t' -v volume="$volume" -v what="$1" \
        '$2 == volume { how = $1; url = $3 } END { print what == "how" ? how : url }' "$note"
}

# remember fetched|found
remember() {
    line=$(printf '%s\t%s\t%s' "$1" "$volume" "$url")
    mkdir -p "$(dirname "$note")"
    [ "$(tail -n 1 "$note" 2>/dev/null)" = "$line" ] || printf '%s\n' "$line" >>"$note"
}

fetch() {
    case $url in
    file://*) cp "${url#file://}" "$1" ;;
    *)
        if command -v curl >/dev/null; then
            curl -fsSL --output "$1" "$url"
        else
            wget -q -O "$1" "$url"
        fi
        ;;
    esac
}

path=$(pvesm path "$volume")
how=$(known how)
if [ -e "$path" ]; then
    # Without a checksum, an archive is known by where it came from.
    if fits "$path" && { [ "$checked" = 1 ] || [ "$how" != fetched ] || [ "$(known url)" = "$url" ]; }; then
        remember "${how:-found}"
        printf '%s\n' "$volume is there"
        exit 0
    fi
    [ "$how" = fetched ] || refuse "somebody else's archive of that name is there, with another checksum"
fi
# The note comes first: cut in between, it names a thing that is not there, which harms nothing.
remember fetched
if [ -n "$url" ]; then
    mkdir -p "$(dirname "$path")"
    new=$(mktemp "$path.XXXXXX")
    trap 'rm -f "$new"' EXIT
    fetch "$new"
    fits "$new" || refuse "what came from $url has another checksum: it was removed"
    chmod 644 "$new"
    sync "$new"
    mv -f "$new" "$path"
else
    rm -f "$path"
    pveam download fastData-shared-iso ubuntu-24.04-standard_24.04-2_amd64.tar.zst || {
        pveam update
        pveam download fastData-shared-iso ubuntu-24.04-standard_24.04-2_amd64.tar.zst
    }
    fits "$path" || {
        rm -f "$path"
        refuse "what came has another checksum: it was removed"
    }
fi
printf '%s\n' "fetched $volume"
