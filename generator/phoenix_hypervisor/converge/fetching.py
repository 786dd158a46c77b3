"""How a file from the network gets onto a host: to the node's cache, once, and from there to its place.

A guest needs no network for it, and nothing of it passes through the machine that phoenix runs on.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from ..downloads import DOWNLOADS, Fetch, downloaded, mirrored
from ..resource import Step
from ..secrets import Text

TO_NODE = r"""\
set -eu
umask 022
mkdir -p "$cache"
cd "$cache"
exec 8>>.lock
flock 8
trap 'rm -f .wanted .right .missing .part-*' EXIT
rm -f .part-*
cat >.wanted
right() { xargs -r sha256sum | awk '{ name = $2; sub("^[.]part-", "", name); if ($1 == name) print name }'; }
without() { awk 'FILENAME == ".right" { right[$1]; next } !($1 in right)' .right "$1"; }
# Of a broken disk, or by somebody's hand: what has another checksum is fetched anew.
while read -r sum url; do [ ! -f "$sum" ] || printf '%s\n' "$sum"; done <.wanted | right >.right
without .wanted >.missing
[ -s .missing ] || exit 0
( while kill -0 "$$"; do
    sleep 1 >&- &
    wait $!
    stat -c %s .part-* | awk '{ bytes += $1 } END { if (bytes) printf "%d MB so far\r", bytes / 1e6 }'
done ) 8>&- 2>/dev/null &
counting=$!
trap 'kill "$counting" 2>/dev/null || :; rm -f .wanted .right .missing .part-*' EXIT
while read -r sum url; do
    case $url in
    file://*) cp "${url#file://}" ".part-$sum" || : ;;
    esac
done <.missing
if command -v curl >/dev/null; then
    awk '$2 !~ "^file:" { printf "url = \"%s\"\noutput = \".part-%s\"\n", $2, $1 }' .missing >.part-config
    [ ! -s .part-config ] || curl -fsSL --no-progress-meter --parallel --retry 3 \
        --connect-timeout 30 --speed-limit 1 --speed-time 120 --config .part-config || :
    rm -f .part-config
else
    while read -r sum url; do
        case $url in
        file://*) ;;
        *) wget -q --tries=3 --timeout=120 -O ".part-$sum" "$url" || rm -f ".part-$sum" ;;
        esac
    done <.missing
fi
find . -maxdepth 1 -name '.part-*' | sed 's|^\./||' | right >.right
while read -r sum; do
    sync ".part-$sum"
    mv -f ".part-$sum" "$sum"
done <.right
without .missing | {
    status=0
    while read -r sum url; do
        status=1
        if [ -s ".part-$sum" ]; then
            found=$(sha256sum ".part-$sum")
            said="what came from $url has the sha256 ${found%% *}, not $sum: it was removed, and"
        else
            said="nothing came from $url:"
        fi
        echo "$said nothing was changed" >&2
    done
    exit "$status"
}"""
TO_PATH = """\
set -eu
export LC_ALL=C PATH="${PATH:+$PATH:}/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
digest() { sha256sum "$1" | cut -c1-64; }
if [ -f "$path" ] && [ "$(digest "$path")" = "$wanted" ]; then chmod "$mode" "$path"; exit 0; fi
umask 022
folder=$(dirname "$path")
mkdir -p "$folder"
part=$folder/.part-$wanted
trap 'rm -f "$part"' EXIT
cat >"$part"
[ "$(digest "$part")" = "$wanted" ] || { echo "$path came only in part: nothing was changed" >&2; exit 1; }
chmod "$mode" "$part"
sync "$part"
mv -f "$part" "$path\""""
TO_GUEST = """\
set -eu
export LC_ALL=C PATH="${PATH:+$PATH:}/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
umask 022
rm -rf "$cache"
mkdir -p "$cache"
cd "$cache"
if tar -xf - && [ -z "$(find . -type f | sed 's|^./||' | xargs sha256sum | awk '$1 != $2')" ] &&
    [ "$(find . -type f | wc -l)" -eq "$count" ]; then
    exit 0
fi
rm -rf "$cache"
echo "what was fetched came into the guest only in part: nothing was changed" >&2
exit 1"""
ALIVE = """\
( while :; do sleep 20 >/dev/null 2>&1 & wait $!; printf '\\r'; done ) &
sign=$!
( {command} ); status=$?
kill "$sign"
exit "$status\""""
"""A host that says nothing for minutes is given up on: a carriage return now and then says that it works."""


def to_node(fetches: Iterable[Fetch]) -> tuple[str, Text]:
    """Return what brings files to the node's cache, each whole and right or not at all, and its stdin."""
    rows = {f"{fetch.sha256} {fetch.url}\n" for fetch in fetches}
    return f"{_set(cache=DOWNLOADS)}\n{TO_NODE}", Text("".join(sorted(rows)))


def to_host(fetches: Iterable[Fetch], vmid: str) -> Iterator[str]:
    """Yield what copies files from the node's cache to their paths, or into one of its guests.

    Run on the node. An empty `vmid` is the node itself.
    """
    copies = sorted({fetch.sha256 for fetch in fetches if vmid and not fetch.path})
    if copies:
        receive = f"{_set(cache=DOWNLOADS, count=str(len(copies)))}\n{TO_GUEST}"
        yield f"tar -C {DOWNLOADS} -cf - {shlex.join(copies)} | {_in(vmid, receive)}"
    for fetch in fetches:
        if fetch.path:
            receive = f"{_set(path=fetch.path, wanted=fetch.sha256, mode=f'{fetch.mode:04o}')}\n{TO_PATH}"
            yield f"{_in(vmid, receive)} <{downloaded(fetch.sha256)}"


def cleared(command: str, step: Step, vmid: str) -> str:
    """Return a step's command, after which a guest keeps no copies of what it was only given for it."""
    copies = vmid and any(not fetch.path for fetch in step.fetch)
    return f"trap 'rm -rf {DOWNLOADS}' EXIT; {command}" if copies else command


def alive(command: str) -> str:
    """Return a command that gives signs of life for as long as it runs."""
    return ALIVE.format(command=command)


def from_mirrors(steps: Iterable[Step], mirrors: Mapping[str, str]) -> Iterator[Step]:
    """Yield steps with the addresses they will really ask, in their titles too."""
    for step in steps:
        title, found = step.title, []
        for fetch in step.fetch:
            url = mirrored(fetch.url, mirrors)
            title = title.replace(fetch.url, url)
            found.append(replace(fetch, url=url))
        yield replace(step, title=title, fetch=tuple(found)) if found else step


def _in(vmid: str, script: str) -> str:
    enter = f"lxc-attach -n {shlex.quote(vmid)} --clear-env -- " if vmid else ""
    return f"{enter}/bin/sh -c {shlex.quote(script)}"


def _set(**values: str) -> str:
    return " ".join(f"{name}={shlex.quote(value)}" for name, value in values.items())
