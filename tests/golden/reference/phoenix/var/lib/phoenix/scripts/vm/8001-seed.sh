#!/bin/sh
# vm:8001 ml-desktop. Writes the user-data and meta-data of its first start. Reads `user:password` lines on
# stdin for users with a password; what is written of those is a hash, of which a right one that is there stays.
set -eu

called='vm:8001 ml-desktop'
user=/fastData/shared-iso/snippets/phoenix-8001-user.yaml
meta=/fastData/shared-iso/snippets/phoenix-8001-meta.yaml
umask 077

refuse() {
    printf '%s\n' "$called keeps its user-data: $1" >&2
    exit 1
}

[ -d "$(dirname "$(dirname "$user")")" ] || refuse "its storage is not there: $(dirname "$(dirname "$user")")"
mkdir -p "$(dirname "$user")"
new=$(mktemp "$user.XXXXXX")
trap 'rm -f "$new"' EXIT
printf '%s' '#cloud-config
hostname: "ai-desktop"
manage_etc_hosts: true
updates:
  network:
    when:
      - "boot-new-instance"
      - "boot"
ssh_pwauth: false
timezone: "America/New_York"
package_update: true
package_upgrade: false
packages:
  - "qemu-guest-agent"
runcmd:
  - ["systemctl", "enable", "--now", "qemu-guest-agent"]
' >"$new"
# Where the node has cloud-init's own word on it, that counts.
if command -v cloud-init >/dev/null; then
    said=$(cloud-init schema --config-file "$new" 2>&1) || refuse "cloud-init refuses it: $said"
fi
if cmp -s "$new" "$user"; then
    printf '%s\n' "$user is right"
else
    mv -f "$new" "$user"
    printf '%s\n' "wrote $user"
fi
printf '%s' 'instance-id: "phoenix-8001"
local-hostname: "ai-desktop"
' >"$meta.new"
cmp -s "$meta.new" "$meta" || printf '%s\n' "wrote $meta"
mv -f "$meta.new" "$meta"
