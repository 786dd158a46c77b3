#!/bin/sh
# lxc_layer. Called with a VMID and our note: removes the seal from a container; a template stays one, not ours.
set -eu

vmid=$1 note=$2
conf=/etc/pve/lxc/$vmid.conf

if [ -e "$conf" ] && grep -qxF '[phoenix_layer]' "$conf"; then
    pct delsnapshot "$vmid" phoenix_layer
    printf '%s\n' "container $vmid has no seal any more"
fi
rm -f "$note"
