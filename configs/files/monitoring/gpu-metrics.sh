#!/bin/sh
# Numbers of NVIDIA's cards for node_exporter's textfile collector. Called with its folder, and the seconds between two
# looks; with 0 it looks once.
set -eu

folder=$1 seconds=$2
fields=index,uuid,name,memory.total,memory.used,utilization.gpu,temperature.gpu

metrics() { # lines of nvidia-smi become metrics; what a card does not tell is left out
    awk -F ', *' '
        function row(name, value) {
            if (value ~ /^[0-9.]+$/)
                found[name] = found[name] sprintf("%s{gpu=\"%s\",uuid=\"%s\",name=\"%s\"} %s\n", name, $1, $2, $3, value)
        }
        {
            row("nvidia_gpu_memory_total_bytes", $4 ~ /^[0-9]+$/ ? sprintf("%.0f", $4 * 1048576) : "")
            row("nvidia_gpu_memory_used_bytes", $5 ~ /^[0-9]+$/ ? sprintf("%.0f", $5 * 1048576) : "")
            row("nvidia_gpu_utilization_ratio", $6 ~ /^[0-9]+$/ ? $6 / 100 : "")
            row("nvidia_gpu_temperature_celsius", $7)
        }
        END {
            for (name in found) printf "# TYPE %s gauge\n%s", name, found[name]
        }'
}

while :; do
    if said=$(nvidia-smi --query-gpu="$fields" --format=csv,noheader,nounits); then
        new=$(mktemp "$folder/.gpu.XXXXXX")
        printf '%s\n' "$said" | metrics >"$new"
        chmod 644 "$new"
        mv -f "$new" "$folder/gpu.prom"
    else
        rm -f "$folder/gpu.prom" # old numbers would look like new ones
    fi
    [ "$seconds" != 0 ] || exit 0
    sleep "$seconds"
done
