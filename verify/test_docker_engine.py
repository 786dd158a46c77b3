"""Docker's engine: its packages, its settings, that it runs, and runs containers."""

import pytest

from phoenix_hypervisor.dialects import docker, dpkg
from phoenix_hypervisor.kinds.docker_engine import FILE, NOTE, UNITS, WAITING, Seen

LIST = f"dpkg-query -W -f '{dpkg.FORMAT}'"
DAEMON = f"""\
if [ -e {FILE} ]; then
    cat {FILE} && printf '\\n\\036%s' "$(sha256sum <{FILE} | cut -c1-64)"
else
    printf '\\036-'
fi
printf '\\036'
if [ -e {NOTE} ]; then cat {NOTE}; fi
printf '\\036'
if [ -e {WAITING} ]; then echo waiting; fi
uname -n
"""
DRIVER = "docker info --format '{{.Driver}}'"
GREETING = "Hello from Docker!"


def test_present(host, docker_engine):
    _daemon(host)  # what is done about it depends on it
    assert (docker_engine.engine in _installed(host)) == docker_engine.present


@pytest.mark.precondition
def test_no_other_engine(host, docker_engine):
    assert {"foreign": _others(host, docker_engine)} == {"foreign": ""}


@pytest.mark.precondition
def test_settings_can_be_read(host, docker_engine):
    assert {"file": _trouble(host)} == {"file": ""}


def test_one_engine(host, docker_engine):
    assert {"foreign": _others(host, docker_engine)} == {"foreign": ""}


def test_packages(host, docker_engine):
    """Of the declared versions, and held."""
    there = _installed(host)
    found = {name: there.get(name) for name in docker_engine.packages}
    actual = {
        f"package {name}": f"{one.version}{', held' if one.held else ''}" if one else ""
        for name, one in found.items()
    }
    assert actual == {f"package {name}": f"{want}, held" for name, want in docker_engine.packages.items()}


def test_file(host, docker_engine):
    """What is in daemon.json is JSON."""
    assert {"file": _trouble(host)} == {"file": ""}


def test_settings(host, docker_engine):
    """Each of ours; those of others are not looked at."""
    found = docker.settings("" if _trouble(host) else _daemon(host)[0].text)
    wanted = dict(docker.leaves(docker_engine.wanted))
    actual = {f"set {'.'.join(path)}": docker.value_at(found, path) for path in wanted}
    assert actual == {f"set {'.'.join(path)}": value for path, value in wanted.items()}


def test_nothing_is_left(host, docker_engine):
    """What we set once and is declared no longer."""
    seen, _ = _daemon(host)
    found = docker.settings("" if _trouble(host) else seen.text)
    declared = {path for path, _ in docker.leaves(docker_engine.wanted)}
    left = [path for path in seen.set if path not in declared and docker.value_at(found, path) is not None]
    assert {"left": sorted(".".join(path) for path in left)} == {"left": []}


def test_loaded(host, docker_engine):
    """No change of its settings still waits for the daemon."""
    assert {"loaded": not _daemon(host)[1]} == {"loaded": True}


def test_units(host, docker_engine):
    said = {
        unit: (
            host.run_expect([0, 1, 4], "systemctl is-enabled %s", unit).stdout.strip(),
            host.run_expect([0, 3, 4], "systemctl is-active %s", unit).stdout.strip(),
        )
        for unit in UNITS
    }
    actual = {f"unit {unit}": f"{enabled}, {active}" for unit, (enabled, active) in said.items()}
    assert actual == {f"unit {unit}": "enabled, active" for unit in UNITS}


def test_driver(host, docker_engine):
    """The storage driver that the daemon has, whatever its file says."""
    answer = host.run_expect([0, 1], DRIVER)
    driver = answer.stdout.strip() if answer.rc == 0 else "no answer"
    assert {"driver": driver} == {"driver": docker_engine.storage_driver}


@pytest.mark.probe
def test_runs_a_container(host, docker_engine):
    """A tiny image, pinned: fetched once, run, and its container removed."""
    command = "timeout 120 docker run --rm --pull missing %s"
    answer = host.run_expect([0, 1, 124, 125], command, docker_engine.probe_image)
    said = answer.stdout if answer.rc == 0 else answer.stderr.strip()
    assert {"docker run": GREETING if GREETING in said else said} == {"docker run": GREETING}


def seen(host, docker_engine):
    """daemon.json with its digest, and what of it is ours."""
    return _daemon(host)[0]


def owned(host):
    """The engine, if we installed it on this very host: what its layer brought is the layer's."""
    return {"engine"} if _daemon(host)[0].ours else set()


def _installed(host):
    return dpkg.installed(host.run_expect([0], LIST).stdout)


def _others(host, docker_engine):
    rivals = [*docker.ENGINES, *docker.OTHER_ENGINES]
    return next((name for name in rivals if name != docker_engine.engine and name in _installed(host)), "")


def _daemon(host):
    """The settings as they are, and whether a change of them waits."""
    text, digest, note, rest = host.run_expect([0], DAEMON).stdout.split("\036")
    lines = [line.partition(" ")[::2] for line in note.splitlines()]
    paths = tuple(docker.unspelled(value) for word, value in lines if word == "set")
    *waiting, name = rest.split()
    makers = [value for word, value in lines if word == "maker"]
    return Seen(text, digest, paths, bool(makers) and makers[-1] == name), bool(waiting)


def _trouble(host):
    try:
        docker.settings(_daemon(host)[0].text)
    except ValueError as error:
        return f"is no JSON object: {error}"
    return ""
