#!/bin/sh
# lxc:950 vllm-chat. Notes what we gave the container of which it may have more that is not ours; it is whole with that.
# Called with what the container still has until its next start.
set -eu

note=/var/lib/phoenix/made/lxc/950.parts

mkdir -p "$(dirname "$note")"
# Without any it holds an empty line: what is asked of the node is lines.
printf '%s\n' devices./dev/nvidia-caps/nvidia-cap1 devices./dev/nvidia-caps/nvidia-cap2 devices./dev/nvidia-modeset devices./dev/nvidia-uvm devices./dev/nvidia-uvm-tools devices./dev/nvidia0 devices./dev/nvidiactl mounts./models net.eth0 "$@" >"$note.new"
mv -f "$note.new" "$note"
