#!/bin/sh
# Stands for your own training: it needs the card, reads /datasets, and writes a checkpoint to /runs.
set -eu

nvidia-smi --query-gpu=name --format=csv,noheader
find /datasets -type f | wc -l
new=$(mktemp /runs/.checkpoint.XXXXXX)
date >"$new"
mv "$new" "/runs/checkpoint-$(date +%s)"
