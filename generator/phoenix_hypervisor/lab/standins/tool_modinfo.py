"""modinfo: what a module of the node says of itself; in the lab, NVIDIA's."""

import sys

import kernels
import model
import nvidia_state
import zfs_options

FIELDS = ("filename", "version", "license", "description", "vermagic")


def main(argv: list[str]) -> int:
    options = zfs_options.parse("modinfo", argv, "k:F:n", ("set-version=", "field=", "filename"))
    kernel = options.last("k") or options.last("set-version") or kernels.running()
    if len(options.rest) != 1:
        print("modinfo: ERROR: missing module or filename.", file=sys.stderr)
        return 1
    name = options.rest[0].replace("_", "-")
    version, sort = nvidia_state.module(model.read(), kernel)
    known = ("nvidia", "nvidia-uvm", "nvidia-modeset", "nvidia-drm", "nvidia-peermem")
    if name not in known or not version:
        print(f"modinfo: ERROR: Module {options.rest[0]} not found.", file=sys.stderr)
        return 1
    facts = {
        "filename": f"/lib/modules/{kernel}/updates/dkms/{name}.ko",
        "version": version,
        "license": nvidia_state.LICENSES[sort],
        "vermagic": f"{kernel} SMP preempt mod_unload modversions ",
    }
    field = "filename" if "n" in options else options.last("F") or options.last("field")
    if field:
        if field in facts:
            print(facts[field])
        return 0
    for key, value in facts.items():
        print(f"{key + ':':<16}{value}")
    return 0
