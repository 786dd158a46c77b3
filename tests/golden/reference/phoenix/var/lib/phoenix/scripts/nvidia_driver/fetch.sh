#!/bin/sh
# nvidia_driver. Fetches the runfile, unless it is there with the declared checksum; changes nothing else.
set -eu

url=https://us.download.nvidia.com/XFree86/Linux-x86_64/580.76.05/NVIDIA-Linux-x86_64-580.76.05.run
runfile=/var/cache/phoenix/NVIDIA-Linux-x86_64-580.76.05.run
wanted=219be636b60931b021b2e8c1e0eff887363c731f8a940caa87bcc054d05d97fd
version=580.76.05

fits() {
    [ "$(sha256sum "$1" | cut -d' ' -f1)" = "$wanted" ]
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

if [ -e "$runfile" ] && fits "$runfile"; then
    printf '%s\n' "$runfile is there"
    exit 0
fi
mkdir -p "$(dirname "$runfile")"
new=$(dirname "$runfile")/.new-$(basename "$runfile")
trap 'rm -f "$new"' EXIT
fetch "$new" || {
    printf '%s\n' "there is no installer of $version at $url: nothing was changed" >&2
    exit 1
}
fits "$new" || {
    printf '%s\n' "what came from $url has another checksum: it was removed, and nothing was changed" >&2
    exit 1
}
chmod 600 "$new"
sync "$new"
mv -f "$new" "$runfile"
printf '%s\n' "fetched $url"
