"""The stand-in for `modprobe`: shows the options in /etc/modprobe.d, "loads" what a lab node has."""

import os
import sys

import kernels
import model
import zfs_options

KNOWN = ("zfs", "spl", "nfsd", "kvm", "loop", "overlay", "vfio", "vfio_iommu_type1", "vfio_pci")
_LONG = ("showconfig", "dry-run", "show-config", "quiet", "all")
FOLDER = "/etc/modprobe.d"
PARAMETERS = {
    "zfs": {"zfs_arc_max": "0", "zfs_arc_min": "0"},
    "kvm": {"ignore_msrs": "N", "report_ignored_msrs": "Y", "halt_poll_ns": "200000"},
    "loop": {"max_loop": "8", "max_part": "0"},
}
"""What a module shows of its parameters, with the values it takes by itself."""
FIXED = frozenset(("max_loop", "max_part"))
"""Those that it takes only when it is loaded."""


def main(argv: list[str]) -> int:
    options = zfs_options.parse("modprobe", argv, "cnqavr", _LONG)
    if {"c", "showconfig", "show-config"} & {name for name, _ in options.pairs}:
        for line in configuration():
            print(line)
        return 0
    if not options.rest:
        model.not_simulated("modprobe", argv)
    if options.rest[0].startswith("nvidia"):
        return _nvidia(options)
    if "r" in options:
        model.not_simulated("modprobe", argv)
    names = options.rest if "a" in options or "all" in options else options.rest[:1]
    loaded = model.section(model.read(), "modules")
    missing = [name for name in names if name not in KNOWN and name not in loaded]
    for name in missing:
        where = f"/lib/modules/{kernels.running()}"
        if "q" not in options and "quiet" not in options:
            print(f"modprobe: FATAL: Module {name} not found in directory {where}", file=sys.stderr)
    if missing:
        return 1
    if "n" not in options and "dry-run" not in options:
        load(names)
    return 0


def _nvidia(options: zfs_options.Options) -> int:
    """The modules of one driver, which come and go together in the lab."""
    import nvidia_state

    if "n" in options or "dry-run" in options:
        return 0 if nvidia_state.module(model.read(), kernels.running())[0] else 1
    if "r" in options:
        refused = nvidia_state.unload() if "nvidia" in options.rest else ""
    else:
        refused = nvidia_state.load()
    if refused:
        fatal = "FATAL" if refused.startswith("Module") else "ERROR"
        print(f"modprobe: {fatal}: {refused}", file=sys.stderr)
    return 1 if refused else 0


def configuration() -> list[str]:
    """Return the `options` lines of all files, in the order of the files' names, continuations joined."""
    lines: list[str] = []
    folder = model.path(FOLDER)
    names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    for name in names:
        if name.endswith(".conf"):
            with open(os.path.join(folder, name), encoding="utf-8", errors="replace") as file:
                lines += options_in(file.read())
    return lines


def options_in(text: str) -> list[str]:
    """Return the `options` lines of a text, continuations joined."""
    words = [line.split() for line in text.replace("\\\n", " ").splitlines()]
    return [" ".join(line) for line in words if line[:1] == ["options"] and len(line) > 2]


def load(names: list[str], options: list[str] | None = None) -> None:
    """Remember the modules; a module loaded for the first time takes its parameters from the options."""
    with model.change() as state:
        loaded = model.section(state, "modules")
        for name in names:
            if name not in loaded:
                loaded[name] = {}
                _parameters(name, configuration() if options is None else options)


def _parameters(name: str, options: list[str]) -> None:
    folder = model.path(f"/sys/module/{name}/parameters")
    os.makedirs(folder, exist_ok=True)
    values = dict(PARAMETERS.get(name, {}))
    for line in options:
        module, *settings = line.split()[1:]
        if module == name:
            values |= {key: value for key, _, value in (word.partition("=") for word in settings)}
    for key, value in values.items():
        place = os.path.join(folder, key)
        if not os.path.exists(place):
            with open(place, "w", encoding="utf-8") as file:
                file.write(_shown(value, PARAMETERS.get(name, {}).get(key, "")) + "\n")
            os.chmod(place, 0o444 if key in FIXED else 0o644)


def _shown(value: str, default: str) -> str:
    """A switch is shown as `Y` or `N`, however it was written."""
    return {"1": "Y", "y": "Y", "0": "N", "n": "N"}.get(value, value) if default in ("Y", "N") else value
