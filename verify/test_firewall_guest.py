"""A guest's firewall: as declared, and in effect on its interfaces."""

import pytest

from phoenix_hypervisor.dialects import firewall_fw as fw
from phoenix_hypervisor.firewall import sight

CONNECT = r"""\
into() { # NAME: what brings a command into a guest's network
    pid=$(lxc-info -n "$1" -p -H 2>/dev/null) && [ -n "$pid" ] && echo "nsenter --net --target=$pid --"
}
tried() { # ORIGIN ADDRESS PORT GUEST
    inside=
    [ "$1" = - ] || inside=$(into "$1") || { echo absent; return; }
    $inside timeout 3 bash -c 'exec 3<>"/dev/tcp/$0/$1"' "$2" "$3" 2>/dev/null
    case $? in
        0) echo open ;;
        124)
            listening=$(printf ':%04X .* 0A ' "$3")
            if $inside ip neigh show "$2" | grep -Eq 'FAILED|INCOMPLETE'; then echo absent
            elif there=$(into "$4") && $there cat /proc/net/tcp /proc/net/tcp6 | grep -q "$listening"
            then echo silence
            else echo nobody
            fi ;;
        *) echo refused ;;
    esac
}
number=0
while read -r origin address port guest; do
    { said=$(tried "$origin" "$address" "$port" "$guest" </dev/null) && echo "$number $said"; } &
    number=$((number + 1))
    [ $((number % 4)) -ne 0 ] || wait
done <<'TRIES'
%s
TRIES
wait
"""
"""Neighbours are asked below the firewall: an address that nobody has is not one that is kept from us. Where
nobody listens, the kernel's answer may get lost between a guest's two bridges: that is no proof either."""


def test_present(host, firewall_guest):
    assert (firewall_guest.file in _files(host).texts) == firewall_guest.present


def test_foreign(host, firewall_guest):
    """A file of somebody else, or one whose mark is gone, is not ours to change."""
    found = sight.foreign(_files(host), firewall_guest.file, firewall_guest.own_mark)
    assert {"foreign": "" if firewall_guest.overwrite else found} == {"foreign": ""}


def test_settings(host, firewall_guest):
    assert sight.shown(_files(host).firewall(firewall_guest.file)) == sight.shown(firewall_guest.firewall)


def test_rules(host, firewall_guest):
    actual = [str(rule) for rule in _files(host).firewall(firewall_guest.file).rules]
    assert {"rules": actual} == {"rules": [str(rule) for rule in firewall_guest.firewall.rules]}


def test_understood(host, firewall_guest):
    """Proxmox skips lines it does not understand: they would do nothing."""
    assert {"skipped": list(_files(host).firewall(firewall_guest.file).faults)} == {"skipped": []}


def test_effective(host, firewall_guest):
    """Without the datacenter's firewall none of this does anything."""
    wanted = "on" if firewall_guest.enable else ""
    assert {"datacenter": sight.switched(_files(host)) if wanted else ""} == {"datacenter": wanted}


def test_filtered(host, firewall_guest):
    """Nor does it without an interface that is under the firewall."""
    assert {"filtered": _filtered(host, firewall_guest)} == {"filtered": ""}


@pytest.mark.probe
def test_lets_in_and_keeps_out(host, firewall_guest):
    """Proxmox has rules for it; and a port answers or is silent as they say: to its node, to other guests."""
    if not firewall_guest.enable:
        pytest.skip("its firewall is declared off")
    compiled = f"create veth{firewall_guest.name}i" in host.run_expect([0], "pve-firewall compile").stdout
    answers = {"compiled": "yes" if compiled else "no"}
    wanted = {"compiled": "yes"}
    tries = tuple(sight.tries(_files(host), firewall_guest, host.backend.get_hostname()))
    for one, said in zip(tries, _said(host, tries, firewall_guest.name), strict=True):
        if said in ("open", "silence"):
            where = "" if one.origin == sight.HERE else f" from {one.origin}"
            answers[f"{one.address} {one.port}{where}"] = sight.LET_IN if said == "open" else sight.KEPT_OUT
            wanted[f"{one.address} {one.port}{where}"] = one.expected
    assert answers == wanted


def seen(host, firewall_guest):
    """Whose file it is, all files as they are, and whether they apply to the guest."""
    found = _files(host)
    ours = sight.ours(found, firewall_guest.file, firewall_guest.own_mark)
    links = _interfaces(host, firewall_guest)
    return sight.Sight(ours, sight.Proof(), (), found, filtered=any(links.values()) if links else None)


def owned(host):
    """Guests whose file is ours: the name in its first line is theirs."""
    found = _files(host)
    vmids = {sight.short(file) for file in found.texts} - {"cluster", "host"}
    return {vmid for vmid in vmids if sight.ours(found, f"{fw.FOLDER}/{vmid}.fw", f"firewall_guest:{vmid}")}


def _said(host, tries, vmid):
    """What came of each try, in their order; a few are made at a time, for silence is waited for."""
    lines = "\n".join(" ".join([*one.words, vmid]) for one in tries)
    answers = host.run_expect([0], CONNECT.replace("%s", lines)).stdout.splitlines() if tries else []
    found = dict(line.split() for line in answers)
    return [found[str(number)] for number in range(len(tries))]


def _filtered(host, firewall_guest):
    found = _interfaces(host, firewall_guest)
    if any(found.values()) or not firewall_guest.enable:
        return ""
    return f"none of its interfaces ({', '.join(found) or 'it has none'}) is under the firewall"


def _interfaces(host, firewall_guest):
    return sight.interfaces(host.run_expect([0], sight.INTERFACES).stdout, firewall_guest.name)


def _files(host):
    return sight.files(host.run_expect([0], sight.FILES).stdout)
