"""nvidia-installer, as a runfile calls it: unpacks itself, or installs programs and libraries.

Its own way to install modules is not simulated: nobody who wants them built first lets it.
"""

import os
import sys

import model
import nvidia_state

FLAGS = frozenset((
    "--silent", "-s", "--no-questions", "-q", "--ui=none", "--no-kernel-modules", "--no-x-check",
    "--no-nouveau-check", "--no-opengl-files", "--no-backup", "--no-drm", "--accept-license",
    "--no-install-compat32-libs", "--no-check-for-alternate-installs", "--no-rebuild-initramfs",
))  # fmt: skip
SORTS = {"kernel-open": "open", "kernel": "proprietary"}


def main(argv: list[str]) -> int:
    version = os.environ.get("PHOENIX_LAB_RUNFILE", "")
    if not version:
        import tool_nvidia_smi

        return tool_nvidia_smi.not_installed("nvidia-installer")
    if argv[:1] in (["--extract-only"], ["-x"]):
        return _extract(version, argv[1:])
    unknown = [word for word in argv if word not in FLAGS]
    for word in unknown:
        if word in ("--dkms", "--kernel-module-type=open", "--kernel-module-type=proprietary"):
            model.not_simulated("nvidia-installer", argv)
        print(f'nvidia-installer: unrecognized option: "{word}"', file=sys.stderr)
        said = "Invalid commandline, please run `nvidia-installer --help` for usage information."
        print(f"\nERROR: {said}\n", file=sys.stderr)
        return 1
    if "--no-kernel-modules" not in argv or not {"--silent", "-s"} & {*argv}:
        model.not_simulated("nvidia-installer", argv)
    folder = model.path(os.path.dirname(nvidia_state.LOG))
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "log"), "w", encoding="ascii") as file:
        file.write(f"{version}\nNVIDIA Accelerated Graphics Driver for Linux-x86_64 ({version})\n")
    return 0


def _extract(version: str, argv: list[str]) -> int:
    target = argv[1] if argv[:1] == ["--target"] and len(argv) == 2 else ""
    if not target:
        model.not_simulated("nvidia-installer", ["--extract-only", *argv])
    place = model.path(target)
    if os.path.exists(place):
        print(f"Directory {target} already exists", file=sys.stderr)
        return 1
    for name, sort in SORTS.items():
        os.makedirs(os.path.join(place, name))
        with open(os.path.join(place, name, "lab-source"), "w", encoding="ascii") as file:
            file.write(f"{version} {sort}\n")
        with open(os.path.join(place, name, "Kbuild"), "w", encoding="ascii") as file:
            file.write("# what the modules are built from\n")
    print(f"Creating directory {target}\nVerifying archive integrity... OK")
    print(f"Uncompressing NVIDIA Accelerated Graphics Driver for Linux-x86_64 {version}")
    return 0
