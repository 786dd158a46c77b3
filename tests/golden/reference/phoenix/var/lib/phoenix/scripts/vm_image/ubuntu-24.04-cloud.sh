#!/bin/sh
# vm_image:ubuntu-24.04-cloud. Makes the template of a cloud image, when there is none or one of another image. Never under a linked clone.
set -eu

vmid=9000
called=vm_image:ubuntu-24.04-cloud
file=/var/cache/phoenix/downloads/6e40c07ae715f744f84af0bec76415cc1987dd115b4b8de437818561f01a3733
sign='phoenix image 780672afd69e40f3'
note=/var/lib/phoenix/made/vm_image/ubuntu-24.04-cloud
conf=/etc/pve/qemu-server/$vmid.conf

refuse() {
    printf '%s\n' "$called is not made: $1" >&2
    exit 1
}

# own: what the template says of itself
own() {
    sed -n '/^\[/q; s/^#\(phoenix image .*\)/\1/p' "$conf" | head -n 1
}

# What `qm` starts holds this as well: a run of ours that was cut may go on behind our back.
mkdir -p /run/lock
exec 8>>"/run/lock/phoenix-vm-$vmid.lock"
flock -n 8 || refuse "another process is making it at this moment: try again when that has ended"

if [ -e "$conf" ] && [ "$(own)" = "$sign" ] && grep -q '^template: 1$' "$conf"; then
    printf '%s\n' "$called is there"
    exit 0
fi
[ -s "$file" ] || refuse "its image has not been fetched: $file"
if [ -e "$conf" ]; then
    lock=$(sed -n '/^\[/q; s/^lock: *//p' "$conf")
    if [ -z "$(own)" ] && ! { [ "$lock" = create ] && [ "$(cat "$note" 2>/dev/null)" = "$vmid" ]; }; then
        refuse "VMID $vmid is taken by a machine that we did not make"
    fi
    clones=$(grep -l ":base-$vmid-disk-[0-9]*[/.]" /etc/pve/qemu-server/*.conf 2>/dev/null | grep -v "/$vmid.conf" |
        sed 's|.*/||; s|\.conf$||' | tr '\n' ' ')
    [ -z "$clones" ] || refuse "linked clones share the present one: $clones"
    [ -z "$lock" ] || qm unlock "$vmid"
    qm destroy "$vmid"
fi
place=$(grep -o "\"$vmid\": *{[^}]*}" /etc/pve/.vmlist || :)
[ -z "$place" ] || refuse "VMID $vmid is taken by another guest"
# The note comes first: cut in between, it names a thing that is not there, which harms nothing.
mkdir -p "$(dirname "$note")"
printf '%s\n' "$vmid" >"$note"
qm create 9000 --name ubuntu-24.04-cloud --memory 1024 --ostype l26 --scsihw virtio-scsi-single --scsi0 quickOS-vm-disks:0,import-from=/var/cache/phoenix/downloads/6e40c07ae715f744f84af0bec76415cc1987dd115b4b8de437818561f01a3733,discard=on --boot order=scsi0 --agent 1 --serial0 socket --tags phoenix --description 'phoenix image being made'
qm template "$vmid"
qm set "$vmid" --description "$sign"
printf '%s\n' "made $called"
