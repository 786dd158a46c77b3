#!/bin/sh
# pve_storage:quickOS-shared-prod-data-volumes. Registers the storage when its id is not there; changes nothing else.
set -eu

storage=quickOS-shared-prod-data-volumes
note=/var/lib/phoenix/made/pve_storage/quickOS-shared-prod-data-volumes

# The exact id, not a prefix: `data` must not be satisfied by `data-sync`.
if awk -v id="$storage" '/^[a-z]+:/ { if ($2 == id) found = 1 } END { exit !found }' /etc/pve/storage.cfg 2>/dev/null; then
    printf '%s\n' "storage $storage is there"
    exit 0
fi
# The note comes first: cut in between, it names a thing that is not there, which harms nothing.
mkdir -p "$(dirname "$note")"
: >"$note"
pvesm add zfspool quickOS-shared-prod-data-volumes --pool quickOS/shared-prod-data-volumes --content rootdir
printf '%s\n' "added storage $storage"
