"""What a node with a kernel of its own has instead of Proxmox's firewall: a daemon's unit, tool and bridges.

The daemon is `standins/packet_filter.py`: the kernel filters by the chains that the stand-in compiles.
"""

STANDINS = "/usr/local/lib/phoenix-lab"
DAEMON = f"/usr/bin/python3 -I -S -B {STANDINS}/packet_filter.py"
CLUSTER = "/etc/pve/firewall/cluster.fw"
LOADED = "/run/phoenix-firewall.loaded"
UNIT = f"""\
[Unit]
Description=Proxmox VE firewall
After=network.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c '[ -e {CLUSTER} ] || [ -e {LOADED} ] || \\
    {{{{ printf "({{{{}}}}, {{{{}}}}, {{{{}}}}, False)" >{LOADED}; exit; }}}}; exec {DAEMON} load {{ways}}'
ExecReload={DAEMON} load {{ways}}
ExecStop={DAEMON} unload
[Install]
WantedBy=multi-user.target
"""
"""`ways` are the tools that the kernel is tried with, best first: nft, legacy.

Where there is no firewall, and none was loaded, it notes so without Python, as at most boots.
"""
TOOL = f"""\
#!/bin/sh
case $1 in
    status) exec {DAEMON} status ;;
    start | stop | restart) exec systemctl "$1" pve-firewall ;;
esac
exec /usr/bin/python3 -I -S -B {STANDINS} pve-firewall "$@"
"""
BRIDGES = """\
#!/bin/sh
# Called by LXC: NAME net up veth INTERFACE. Hangs a container's interface on its bridge, as Proxmox's script
# does: one that is under the firewall on a bridge of its own, between it and the other.
set -eu
PATH=/usr/sbin:/usr/bin:/sbin:/bin
port=${5#veth}
vmid=${port%i*} number=${port#*i}
net=$(sed -n "/^\\[/q; s/^net$number: //p" "/etc/pve/lxc/$vmid.conf")
value() { printf '%s\\n' "$net" | tr , '\\n' | sed -n "s/^$1=//p"; }
for old in "fwbr$port" "fwln$port"; do # of its life before
    [ ! -e "/sys/class/net/$old" ] || ip link delete "$old"
done
bridge=$(value bridge)
if [ "$(value firewall)" = 1 ]; then
    ip link add "fwln$port" type veth peer name "fwpr${vmid}p$number"
    ip link set "fwpr${vmid}p$number" master "$bridge" up
    bridge=fwbr$port
    ip link add "$bridge" type bridge forward_delay 0
    ip link set "fwln$port" master "$bridge" up
    ip link set "$bridge" up
fi
[ -z "$bridge" ] || ip link set "$5" master "$bridge"
ip link set "$5" up
"""
"""The place of Proxmox's script is /usr/share/lxc/lxcnetaddbr."""
