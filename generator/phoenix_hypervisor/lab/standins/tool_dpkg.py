"""dpkg: `--configure -a`, which finishes what was cut off. Packages are unpacked by nobody here."""

import os

import dpkg_status
import model


def main(argv: list[str]) -> int:
    if argv != ["--configure", "-a"]:
        model.not_simulated("dpkg", argv)
    packages = dpkg_status.read()
    for name, package in packages.items():
        want, ok, state = package["Status"].split()
        if state in ("unpacked", "half-configured", "triggers-pending"):
            print(f"Setting up {name} ({package['Version']}) ...")
            package["Status"] = f"{want} {ok} installed"
    dpkg_status.write(packages)
    place = model.path(dpkg_status.UPDATES)
    for entry in os.listdir(place) if os.path.isdir(place) else []:
        os.unlink(os.path.join(place, entry))
    return 0
