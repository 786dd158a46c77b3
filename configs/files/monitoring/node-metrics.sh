#!/bin/sh
# Numbers of a Proxmox node for node_exporter's textfile collector, of what node_exporter itself does not tell: guests,
# how old their backups are, how long certificates last, how healthy disks are. Called with its folder, the seconds
# between two looks (0: it looks once), and the folders that backups are in.
set -eu

folder=$1 seconds=$2
shift 2

guests() {
    containers=$(pct list) && machines=$(qm list) || return
    echo '# TYPE pve_guest_running gauge'
    printf '%s\n' "$containers" | awk 'NR > 1 { printf "pve_guest_running{type=\"lxc\",vmid=\"%s\"} %d\n", $1, $2 == "running" }'
    printf '%s\n' "$machines" | awk 'NR > 1 { printf "pve_guest_running{type=\"qemu\",vmid=\"%s\"} %d\n", $1, $3 == "running" }'
}

backups() { # the latest of each guest
    echo '# TYPE pve_backup_timestamp_seconds gauge'
    for dumps; do
        [ -d "$dumps" ] || continue # nothing was ever saved
        find "$dumps" -maxdepth 1 -type f -name 'vzdump-*' \
            ! -name '*.log' ! -name '*.notes' ! -name '*.protected' ! -name '*.dat' -printf '%T@ %f\n' || return
    done | awk '
        { split($2, part, "-"); at = sprintf("%.0f", $1) + 0; if (at > last[part[3]]) last[part[3]] = at }
        END { for (vmid in last) printf "pve_backup_timestamp_seconds{vmid=\"%s\"} %.0f\n", vmid, last[vmid] }'
}

certificates() {
    echo '# TYPE pve_certificate_expiry_timestamp_seconds gauge'
    for file in /etc/pve/local/pve-ssl.pem /etc/pve/local/pveproxy-ssl.pem; do
        [ -f "$file" ] || continue
        ends=$(openssl x509 -noout -enddate -in "$file") && ends=$(date -d "${ends#notAfter=}" +%s) || return
        printf 'pve_certificate_expiry_timestamp_seconds{file="%s"} %s\n' "$file" "$ends"
    done
}

disks() { # what a disk does not tell is left out; smartctl's status has bits for what is wrong with a disk
    found=$(smartctl --scan --json) || return
    rows=$(printf '%s\n' "$found" | jq -r '.devices[]?.name' | while read -r disk; do
        said=$(smartctl --json --health --attributes --nocheck=standby "$disk" </dev/null) || :
        printf '%s\n' "$said" | jq -r --arg disk "$disk" '
            def row(name; value): value | select(. != null) | "\(name){disk=\"\($disk)\"} \(.)";
            row("smart_healthy"; .smart_status.passed | if . == null then null elif . then 1 else 0 end),
            row("smart_temperature_celsius"; .temperature.current),
            row("smart_wear_ratio"; .nvme_smart_health_information_log.percentage_used | if . == null then null else . / 100 end)'
    done)
    for name in smart_healthy smart_temperature_celsius smart_wear_ratio; do
        echo "# TYPE $name gauge"
        printf '%s\n' "$rows" | sed -n "/^${name}{/p"
    done
}

while :; do
    new=$(mktemp "$folder/.pve.XXXXXX")
    if (guests && backups "$@" && certificates && disks) >"$new"; then
        chmod 644 "$new"
        mv -f "$new" "$folder/pve.prom"
    else
        rm -f "$new" "$folder/pve.prom" # old numbers would look like new ones
    fi
    [ "$seconds" != 0 ] || exit 0
    sleep "$seconds"
done
