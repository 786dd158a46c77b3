"""The firewall in nftables: what our files say is what packets meet, and nobody stays locked out.

The chains are those of the stand-in for `pve-firewall compile`, which is held to what Proxmox printed.
"""

import time
from pathlib import Path

from tests.vm.housing import PING, house
from tests.vm.site import VmSite

from phoenix_hypervisor.lab.vm.machine import greets

ADDRESSES = {"phoenix": "10.0.0.13", "chat": "10.0.0.51", "web": "10.0.0.52"}
TRIED = """\
tried() {
    case $1 in
        phoenix) inside= ;;
        chat) inside="nsenter --net --target=$(lxc-info -n 951 -pH)" ;;
        web) inside="nsenter --net --target=$(lxc-info -n 952 -pH)" ;;
        *) inside="nsenter --net=/run/netns/$1" ;;
    esac
    status=0
    $inside timeout 15 bash -c 'exec 3<>"/dev/tcp/$0/$1"' "$2" "$3" 2>/dev/null || status=$?
    echo "$1 $2 $3 $status"
}
"""
# Proxmox does otherwise than was proven: what comes by ssh is dropped, over open connections as well.
CUT = """\
cat >/root/cut.sh <<'END'
grep -q 9100 /etc/pve/firewall/cluster.fw && [ ! -e /run/cut ] || exit 0
: >/run/cut
iptables-nft -I INPUT -p tcp --dport 22 -j DROP
while iptables-nft -C INPUT -p tcp --dport 22 -j DROP; do
    iptables-nft -vnxL INPUT 1 >/root/dropped
    sleep 1
done >/dev/null 2>&1 &
END
mkdir -p /etc/systemd/system/pve-firewall.service.d
printf '[Service]\\nExecReload=/bin/sh /root/cut.sh\\n' >/etc/systemd/system/pve-firewall.service.d/cut.conf
systemctl daemon-reload
"""
FILE = "/etc/pve/firewall/cluster.fw"
MORE = f"{PING}, {{ port: 9100, source: any }}"


def _connections(site: VmSite, wanted: list[tuple[str, str, int]]) -> dict[tuple[str, str, int], str]:
    """Try connections, all at once; a port where nobody listens answers as well."""
    lines = "".join(f"tried {source} {ADDRESSES[target]} {port} &\n" for source, target, port in wanted)
    said = site.on_node(f"{TRIED}{lines}wait")
    became = {"0": "let in", "1": "let in", "124": "kept out"}
    rows = {(row[0], row[1], int(row[2])): became[row[3]] for row in map(str.split, said.splitlines())}
    return {one: rows[one[0], ADDRESSES[one[1]], one[2]] for one in wanted}


def test_packets_between_guests_meet_what_the_matrix_says_of_every_pair(housed: VmSite) -> None:
    places = {name: name for name in ADDRESSES} | {"office (10.0.0.60)": "office", "anywhere": "stranger"}
    expected = {
        (places[pair["source"]], pair["target"], int(pair["port"].removesuffix("/tcp"))): (
            "let in" if pair["accepted"] else "kept out"
        )
        for pair in housed.run("firewall", "matrix", "--json").document["pairs"]
        if pair["source"] in places
    }
    # what is not in the matrix: a port for nobody, one without a firewall, and what may not go out
    expected |= {
        ("web", "chat", 8001): "kept out",
        ("stranger", "web", 8000): "let in",
        ("chat", "web", 8001): "let in",
        ("chat", "web", 8000): "kept out",
    }

    found = _connections(housed, list(expected))

    assert found == expected
    assert expected["web", "chat", 8000] == expected["web", "phoenix", 445] == "let in"
    assert expected["office", "chat", 8000] == expected["office", "phoenix", 2049] == "let in"
    assert expected["stranger", "chat", 8000] == expected["phoenix", "chat", 8000] == "kept out"
    assert expected["stranger", "phoenix", 22] == expected["chat", "phoenix", 445] == "kept out"
    assert "PVEFW-FORWARD" in housed.on_node("nft list chain ip filter FORWARD 2>/dev/null")


def test_a_change_that_cuts_our_connection_is_taken_back_by_the_node(housed: VmSite, scratch: Path) -> None:
    before = housed.on_node(f"cat {FILE}")
    housed.on_node(CUT)
    house(housed, scratch, MORE, seconds=60)

    applied = housed.apply()

    end = time.monotonic() + 300
    while not greets(housed.node.machine.port, 10):
        assert time.monotonic() < end, "the node has not let us in again"
    assert applied.status in (1, 3), applied
    dropped = housed.on_node("cat /root/dropped").split()
    assert (int(dropped[0]) > 0, dropped[2]) == (True, "DROP")
    left = "systemctl list-units --all --no-legend 'phoenix-firewall-*'"
    while housed.on_node(left):
        assert time.monotonic() < end, housed.on_node(left)
        time.sleep(1)
    assert housed.on_node(f"cat {FILE}") == before
    assert _connections(housed, [("stranger", "phoenix", 9100)]) == {
        ("stranger", "phoenix", 9100): "kept out"
    }
    house(housed, scratch, MORE)
    again = housed.apply()
    assert again.status == 0, again
    assert _connections(housed, [("stranger", "phoenix", 9100)]) == {("stranger", "phoenix", 9100): "let in"}
