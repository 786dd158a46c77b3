"""NVIDIA's container toolkit: its packages, its settings, that Docker knows it, and gives out cards."""

import json

import pytest

from phoenix_hypervisor.dialects import docker, dpkg, nvidia
from phoenix_hypervisor.kinds.nvidia_container_toolkit import CONFIG, FILE, NOTE, PACKAGES, WAITING, Seen

LIST = f"dpkg-query -W -f '{dpkg.FORMAT}'"
FILES = f"""\
if [ -e {FILE} ]; then
    cat {FILE} && printf '\\n\\036%s' "$(sha256sum <{FILE} | cut -c1-64)"
else
    printf '\\036-'
fi
printf '\\036'
if [ -e {NOTE} ]; then cat {NOTE}; fi
printf '\\036'
if [ -e {CONFIG} ]; then cat {CONFIG}; fi
printf '\\036'
if [ -e {WAITING} ]; then echo waiting; fi
uname -n
"""
RUNTIMES = "docker info --format '{{json .Runtimes}}'"
CARDS = "ls /dev | grep -c '^nvidia[0-9][0-9]*$'"


def test_present(host, nvidia_container_toolkit):
    _files(host)  # what is done about it depends on it
    assert (PACKAGES[0] in _installed(host)) == nvidia_container_toolkit.present


@pytest.mark.precondition
def test_settings_can_be_read(host, nvidia_container_toolkit):
    assert {"config": _config(host)[1], "file": _trouble(host)} == {"config": "", "file": ""}


def test_packages(host, nvidia_container_toolkit):
    """All of the declared version, and held."""
    there = _installed(host)
    found = {name: there.get(name) for name in nvidia_container_toolkit.packages}
    actual = {
        f"package {name}": f"{one.version}{', held' if one.held else ''}" if one else ""
        for name, one in found.items()
    }
    wanted = nvidia_container_toolkit.packages.items()
    assert actual == {f"package {name}": f"{version}, held" for name, version in wanted}


def test_files(host, nvidia_container_toolkit):
    """Both can be read."""
    assert {"config": _config(host)[1], "file": _trouble(host)} == {"config": "", "file": ""}


def test_no_cgroups(host, nvidia_container_toolkit):
    """The toolkit leaves the control groups of devices alone, or not."""
    assert {"no-cgroups": _config(host)[0]} == {"no-cgroups": nvidia_container_toolkit.no_cgroups}


def test_runtime(host, nvidia_container_toolkit):
    """In daemon.json, whoever wrote it."""
    found = docker.settings("" if _trouble(host) else _files(host)[0].text)
    ((path, wanted),) = docker.leaves(nvidia_container_toolkit.wanted)
    assert {"runtime nvidia": docker.value_at(found, path)} == {"runtime nvidia": wanted}


def test_loaded(host, nvidia_container_toolkit):
    """The daemon that runs knows it."""
    answer = host.run_expect([0, 1], RUNTIMES)
    known = json.loads(answer.stdout) if answer.rc == 0 else {}
    ((_, wanted),) = docker.leaves(nvidia_container_toolkit.wanted)
    waits = _files(host)[2]
    assert {"loaded": not waits and known.get("nvidia", {}).get("path") == wanted} == {"loaded": True}


@pytest.mark.probe
def test_gives_a_container_the_cards(host, nvidia_container_toolkit):
    """A tiny image with all cards; a guest without any, like a layer, has none to give."""
    if host.run_expect([0, 1], CARDS).stdout.strip() == "0":
        pytest.skip("the guest has no card")
    command = "timeout 120 docker run --rm --pull missing --gpus all %s"
    answer = host.run_expect([0, 1, 124, 125, 126], command, nvidia_container_toolkit.probe_image)
    said = "it ran" if answer.rc == 0 else (answer.stderr or answer.stdout).strip()
    assert {"docker run --gpus all": said} == {"docker run --gpus all": "it ran"}


def seen(host, nvidia_container_toolkit):
    """daemon.json with its digest, and what of it is ours."""
    return _files(host)[0]


def owned(host):
    """The toolkit, if we installed it on this very host: what its layer brought is the layer's."""
    return {"toolkit"} if _files(host)[0].ours else set()


def _installed(host):
    return dpkg.installed(host.run_expect([0], LIST).stdout)


def _files(host):
    """daemon.json as it is, the toolkit's own file, and whether a change waits for the daemon."""
    text, digest, note, config, rest = host.run_expect([0], FILES).stdout.split("\036")
    lines = [line.partition(" ")[::2] for line in note.splitlines()]
    paths = tuple(docker.unspelled(value) for word, value in lines if word == "set")
    *waiting, name = rest.split()
    makers = [value for word, value in lines if word == "maker"]
    return Seen(text, digest, paths, bool(makers) and makers[-1] == name), config, bool(waiting)


def _config(host):
    """What the toolkit's own file says of control groups, and what is wrong with the file."""
    try:
        return nvidia.no_cgroups(_files(host)[1]), ""
    except ValueError as error:
        return None, f"cannot be read: {error}"


def _trouble(host):
    try:
        docker.settings(_files(host)[0].text)
    except ValueError as error:
        return f"is no JSON object: {error}"
    return ""
