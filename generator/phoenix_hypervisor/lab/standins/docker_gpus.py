"""Graphics cards for Docker's containers: the runtimes that the daemon knows, and why it gives no card."""

import json
import os
import re

import apt_toolkit
import docker_daemon
import dpkg_status
import model
import nvidia_state
import units

_OWN = {"io.containerd.runc.v2": {"path": "runc"}, "runc": {"path": "runc"}}
_HOOK = (
    "failed to create task for container: failed to create shim task: OCI runtime create failed: runc create "
    "failed: unable to start container process: error during container init: error running hook #0: error "
    "running hook: exit status 1, stdout: , stderr: Auto-detected mode as 'legacy'\nnvidia-container-cli: "
)
_RULES = (
    "mount error: failed to add device rules: unable to find any existing device filters attached to the "
    "cgroup: bpf_prog_query(BPF_CGROUP_DEVICE) failed: operation not permitted"
)
_LIBRARY = (
    "initialization error: load library failed: libnvidia-ml.so.1: cannot open shared object file: no such "
    "file or directory"
)
_NO_CGROUPS = re.compile(r"^\[nvidia-container-cli\]\n(?:(?!\[).*\n)*? *no-cgroups *= *true", re.MULTILINE)


def installed() -> str:
    """Return the toolkit's version; empty if it is not there."""
    package = dpkg_status.read().get("nvidia-container-toolkit")
    there = dpkg_status.state(package) == "installed"
    return str(package and package["Version"].partition("-")[0]) if there else ""


def started() -> float:
    """Return when the daemon was started; for ever ago from now on, where nobody knows."""
    unit = units.known(model.read(), "docker.service") or {}
    return float(unit.get("since", "inf"))


def runtimes() -> dict[str, dict[str, str]]:
    """Return what the daemon has read of runtimes when it was started."""
    try:
        if os.stat(model.path(docker_daemon.CONFIG)).st_mtime > started():
            return dict(_OWN)
        with open(model.path(docker_daemon.CONFIG), encoding="utf-8") as file:
            found = json.load(file).get("runtimes", {})
    except (FileNotFoundError, ValueError):
        return dict(_OWN)
    return {**_OWN, **{name: {"path": row.get("path", "")} for name, row in found.items()}}


def trouble() -> str:
    """Return why a container does not get cards, in the daemon's words; empty if it does."""
    state = model.read()
    if not installed() or model.section(state, "toolkit").get("since", 0) > started():
        return 'could not select device driver "" with capabilities: [[gpu]]'
    library, module = nvidia_state.userland(state), nvidia_state.loaded(state)
    if not library:
        said = _LIBRARY
    elif not module or not nvidia_state.cards(state):
        said = "initialization error: nvml error: driver not loaded"
    elif library != module:
        said = "initialization error: nvml error: driver/library version mismatch"
    elif state.get("boot", {}).get("mapped") and not _no_cgroups():
        said = _RULES
    else:
        return ""
    return f"{_HOOK}{said}: unknown"


def _no_cgroups() -> bool:
    try:
        with open(model.path(apt_toolkit.FILE), encoding="utf-8") as file:
            return bool(_NO_CGROUPS.search(file.read()))
    except FileNotFoundError:
        return False
