"""Services in guests, with bad luck: a program that dies, a wrong checksum, a model that is there in part."""

import re
import shutil

import pytest
from tests.lab.containers import BASE, Containers
from tests.lab.running import REPOSITORY
from tests.lab.small import SmallSite

from phoenix_hypervisor.errors import ExitCode
from phoenix_hypervisor.lab.faults import Faults, Sort

NET = {"eth0": {"bridge": "vmbr0", "ip": "10.0.0.60/24", "gw": "10.0.0.1"}}
SERVER = "160-server"
MODELS = {"source": "/tank/one", "uid": 0, "gid": 0}
MORE = ("llama3.2:1b", "qwen2.5:0.5b")
RELEASE = {
    "version": "0.12.6",
    "sha256": "de82adce2ab79235115d511ff22fcb099ac53b67127870f12b80198c033ec0a1",
}
DAEMON = {
    "Service": {"ExecStart": "/usr/bin/sleep infinity", "Restart": "on-failure"},
    "Install": {"WantedBy": "multi-user.target"},
}
DYING = {**DAEMON, "Service": {"ExecStart": "/bin/sh -c 'echo out of luck >&2; exit 3'"}}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A running guest with a unit of ours and Ollama in it."""
    site = Containers.fresh(tmp_path_factory.mktemp("services") / "site")
    declare(site)
    ran = site.apply()
    assert (ran.code, ran.outcome.stuck) == (ExitCode.OK, {})
    return site


@pytest.fixture
def site(made, tmp_path):
    return made.copy(tmp_path / "site")


def declare(site, unit=DAEMON, ollama=RELEASE, models=("llama3.2:1b",), watched=0, **further):
    settings = {**ollama, "folder": "/srv/models", "models": [*models]}
    daemon = {"sections": unit, "watch_seconds": watched}
    inside = {"systemd_unit": {"phoenix-daemon.service": daemon}, "ollama": settings, **further}
    site.declare({SERVER: {"lxc": {**BASE, "net": NET, "mounts": {"/srv/models": MODELS}}, **inside}})


def inside(site, command):
    return site.on_node(f"lxc-attach -n 160 --clear-env -- /bin/sh -c {command!r}")


def test_what_serves_is_left_alone(site):
    assert site.apply().nothing


def test_a_unit_that_dies_is_told_with_its_last_words(site):
    declare(site, unit=DYING, watched=1)
    ran = site.apply()
    assert ran.code is ExitCode.FAILED
    (said,) = ran.outcome.stuck.values()
    assert "out of luck" in said


def test_a_unit_that_systemd_does_not_accept_changes_nothing(site):
    declare(site, unit={**DAEMON, "Service": {**DAEMON["Service"], "Execstart": "/usr/bin/true"}})
    ran = site.apply()
    assert "Unknown key 'Execstart' in section [Service]" in str(ran.outcome.stuck)
    assert inside(site, "systemctl is-active phoenix-daemon.service") == "active\n"
    assert "Execstart" not in inside(site, "cat /etc/systemd/system/phoenix-daemon.service")


def test_another_unit_file_is_found_and_put_right(site):
    inside(site, "sed -i s/infinity/5/ /etc/systemd/system/phoenix-daemon.service")
    ran = site.apply()
    assert ran.titles == [
        "write /etc/systemd/system/phoenix-daemon.service, systemctl daemon-reload",
        "systemctl restart phoenix-daemon.service",
    ]
    assert ran.code is ExitCode.OK
    assert inside(site, "systemctl show -p ExecStart phoenix-daemon.service").count("infinity") == 1


def test_a_model_that_is_there_in_part_is_pulled_again(site):
    inside(site, "find /srv/models/blobs -type f | sort | head -n 1 | xargs truncate -s 1")
    ran = site.apply()
    assert ran.titles == ["ollama pull llama3.2:1b"]
    assert ran.code is ExitCode.OK


def test_a_release_with_another_checksum_is_not_installed(site):
    declare(site, ollama={"version": "0.12.11", "sha256": "0" * 64})
    ran = site.apply()
    assert ran.code is ExitCode.FAILED
    assert "0" * 64 in str(ran.outcome.stuck)
    assert inside(site, "ls /opt/ollama") == "0.12.6-de82adce2ab7\n"
    assert inside(site, "systemctl is-active ollama.service") == "active\n"


def test_a_model_that_nobody_has_is_said_in_the_registrys_words(site):
    declare(site, models=("llama3.2:1b", "no-such-model:1b"))
    ran = site.apply()
    assert ran.code is ExitCode.FAILED
    assert "no-such-model:1b was not pulled" in str(ran.outcome.stuck)


def listed(site):
    return set(re.findall(r'"name":"([^"]*)"', inside(site, "curl -s http://127.0.0.1:11434/api/tags")))


def test_without_a_network_neither_a_model_nor_a_package_comes_and_what_is_there_serves_on(site):
    Faults(site.node.folder).set(Sort.OFFLINE, detail="160")
    declare(site, models=MORE, apt_package={"htop": {}})
    ran = site.apply()
    assert ran.code is ExitCode.FAILED
    said = {str(ref): reason for ref, reason in ran.outcome.stuck.items()}
    assert "was not pulled" in said["ollama:server"]
    assert "no such host" in said["ollama:server"]
    assert "W: Failed to fetch" in said["apt_package:htop"]
    assert "Temporary failure resolving" in said["apt_package:htop"]
    assert listed(site) == {MORE[0]}
    Faults(site.node.folder).clear()
    inside(site, "apt-get update")
    Faults(site.node.folder).set(Sort.OFFLINE, detail="160")
    fetching = inside(site, "apt-get -y install htop 2>&1 || dpkg-query -W htop 2>&1 || :")
    assert "E: Failed to fetch" in fetching
    assert "no packages found matching htop" in fetching
    Faults(site.node.folder).clear()
    ran = site.apply()
    assert (ran.code, ran.outcome.stuck, listed(site)) == (ExitCode.OK, {}, {*MORE})


def test_a_model_for_which_there_is_no_space_is_not_taken_for_whole_and_comes_when_there_is(site):
    before = site.on_node("find /tank/one -type f | sort")
    Faults(site.node.folder).set(Sort.FULL, detail="/tank/one")
    declare(site, models=MORE)
    ran = site.apply()
    assert ran.code is ExitCode.FAILED
    (said,) = ran.outcome.stuck.values()
    assert f"{MORE[1]} was not pulled" in said
    assert "no space left on device" in said
    Faults(site.node.folder).clear()
    assert site.on_node("find /tank/one -type f ! -name '*-partial' | sort") == before
    assert listed(site) == {MORE[0]}
    ran = site.apply()
    assert (ran.code, ran.outcome.stuck, listed(site)) == (ExitCode.OK, {}, {*MORE})


def test_the_training_example_converges_and_runs_only_when_somebody_says_so(tmp_path):
    example = SmallSite(tmp_path / "training", "phoenix")
    shutil.copytree(
        REPOSITORY / "examples/training", example.folder, ignore=shutil.ignore_patterns(".phoenix")
    )
    assert example.run("lab", "up").status == 0
    applied = example.run("apply", "--yes")
    assert applied.status == 0, applied.out + applied.err
    assert example.on_node("ls /tank/runs/all") == ""

    started = example.run("exec", "training", "--", "systemctl", "start", "training.service")
    assert started.status == 0, started.err
    assert example.on_node("ls /tank/runs/all").startswith("checkpoint-")
    example.edit("configs/guests/970-training.yaml", ("Description: Training", "Description: Learning"))
    changed = example.run("apply", "--yes")
    assert (changed.status, len(example.on_node("ls /tank/runs/all").split())) == (0, 1)

    beside = {"ollama": {**RELEASE, "folder": "/runs"}}
    lxc = {"template": "ubuntu-24.04", "rootfs": {"size": "8G"}, "net": {"eth0": {"ip": "10.0.0.171/24"}}}
    example.declare({"971-beside": {"lxc": {**lxc, "gpus": ["gpu0"]}, **beside}})
    refused = example.run("validate")
    assert "it is to have `gpu0` for itself, and beside/ollama:beside has it too [V-36]" in refused.err
