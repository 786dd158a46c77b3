"""Software of layers and guests on a lab node: NVIDIA's libraries, environments of Python, locales."""

import pytest
from tests.lab.running import steps
from tests.lab.test_nvidia import (
    HARDWARE,
    NEW,
    OLD,
    REPOSITORY,
    SHA256,
    TEMPLATE,
    GraphicsSite,
    made,
)

from phoenix_hypervisor import registry
from phoenix_hypervisor.config import load
from phoenix_hypervisor.lab.faults import Sort
from phoenix_hypervisor.observe.kinds_page import yaml
from phoenix_hypervisor.resource import CREATE, Ref

NODE = "pve1"
ROOTFS = {"storage": "tank", "size": "1G"}
STORAGE = {
    "zfs_pool": {"tank": {"vdevs": [{"type": "stripe", "disks": ["nvme-LAB_1"]}]}},
    "zfs_dataset": {"tank/iso": {}, "tank/disks": {}},
    "pve_storage": {
        "tank": {"type": "zfspool", "pool": "tank/disks", "content": ["rootdir"]},
        "iso": {"type": "dir", "path": "/tank/iso", "content": ["vztmpl"]},
    },
    "ct_template": {"base": {"storage": "iso", "file": TEMPLATE}},
}
GUESTS = {
    "901-layer": {"lxc": {"template": "base", "rootfs": ROOTFS}, "lxc_layer": {}, "nvidia_userland": {}},
    "950-chat": {"lxc": {"clone": "layer", "rootfs": ROOTFS, "gpus": ["gpu0"]}, "nvidia_userland": {}},
    "955-ollama": {
        "lxc": {"clone": "layer", "rootfs": ROOTFS, "gpus": ["gpu0", "gpu1"]},
        "nvidia_userland": {},
    },
}
USERLAND = "head -n 1 /var/lib/nvidia/log"


class Graphics(GraphicsSite):
    """A node with two cards, a layer with the libraries, and two clones of it with cards."""

    def declare(self, version=OLD, **settings):
        driver = {"version": version, "sha256": SHA256.get(version, "0" * 64), **settings}
        sections = {
            "hardware": HARDWARE,
            "apt_repository": {"pve": REPOSITORY},
            "nvidia_driver": driver,
            **STORAGE,
        }
        (self.folder / f"configs/nodes/{NODE}.yaml").write_text(yaml(sections))
        (self.folder / "configs/guests").mkdir(exist_ok=True)
        for name, guest in GUESTS.items():
            (self.folder / f"configs/guests/{name}.yaml").write_text(yaml(guest))

    def inside(self, vmid, command):
        return self.on_node(f"lxc-attach -n {vmid} --clear-env -- sh -c {command!r}").strip()

    def userlands(self):
        """What each running guest has."""
        running = self.on_node("lxc-ls --running -1").split()
        return {vmid: self.inside(vmid, USERLAND) for vmid in running}

    def installed_in(self, ran):
        """In which guests libraries were installed."""
        found = [step for step in ran.document["steps"] if "--no-kernel-modules" in step["title"]]
        return [step["resource"] for step in found if "nvidia_userland" in step["resource"]]


@pytest.fixture(scope="module")
def graphics(tmp_path_factory):
    return made(tmp_path_factory.mktemp("software") / "site", Graphics)


def test_one_version_in_all_guests_and_an_upgrade_of_the_node_updates_them_all_after_it(graphics):
    """Predecessor: that there was an nvidia-smi was enough, so upgrades never reached containers."""
    site, resources = graphics, [f"{name}/nvidia_userland:{name}" for name in ("layer", "chat", "ollama")]
    first = site.run("apply", "--json")
    assert first.status == 0, first
    assert site.installed_in(first) == resources[:1]  # clones have taken it over
    assert site.userlands() == {"950": OLD, "955": OLD}
    cards = site.inside("955", "nvidia-smi -L").splitlines()
    assert (len(cards), site.inside("950", "nvidia-smi -L")) == (2, cards[0])
    pids = site.on_node("lxc-info -n 950 -pH; lxc-info -n 955 -pH")

    site.declare(NEW)
    plan = site.plan()
    after = {entry["resource"]: entry["after"] for entry in plan["entries"]}
    driver, containers = f"{NODE}/nvidia_driver:{NODE}", [f"{NODE}/lxc:{vmid}" for vmid in (901, 950, 955)]
    assert [after[name] for name in resources] == containers
    assert [after[name] for name in containers[1:]] == [driver, driver]
    waiting = site.run("apply", "--json")
    assert waiting.status == 2, waiting
    assert list(waiting.document["waiting"]) == [driver]
    # what is loaded is still the old one: libraries of the new one would reach no card
    assert site.userlands() == {"901": OLD, "950": OLD, "955": OLD}
    assert site.on_node("lxc-info -n 950 -pH; lxc-info -n 955 -pH") == pids
    assert site.inside("950", "nvidia-smi -L") == cards[0]

    last = site.run("apply", "--json", "--reboot")
    assert last.status == 0, last
    assert sorted(site.installed_in(last)) == sorted(resources)
    assert site.userlands() == {"950": NEW, "955": NEW}  # the layer rests again
    assert site.inside("955", "nvidia-smi -L").splitlines() == cards
    kept = site.on_node("ls /var/cache/phoenix/downloads").split()
    assert kept == sorted(SHA256.values())
    assert site.inside("950", "ls -A /var/cache/phoenix") == ""
    with site.nothing_done():
        assert site.run("apply", "--json").status == 0


def locked(*names):
    """A lock file of the sample's, with these of its packages."""
    samples = registry.kind("python_environment").samples()
    texts = [text for one in samples for text in (one.first["lock"], one.second["lock"])]
    parts = {part.split('"')[1]: part for text in texts for part in text.split("[[packages]]")[1:]}
    return 'lock-version = "1.0"\n' + "".join(f"[[packages]]{parts[name]}" for name in names)


class Environments(GraphicsSite):
    """A node that has an environment of Python itself."""

    def declare(self, *names, **settings):
        environment = {"lock": locked(*(names or ("six", "idna"))), **settings}
        sections = {
            "hardware": {"disks": HARDWARE["disks"]},
            "host_file": {"/etc/beside": {"content": "beside\n"}},
            "python_environment": {"/opt/tools": environment},
        }
        (self.folder / f"configs/nodes/{NODE}.yaml").write_text(yaml(sections))

    def packages(self):
        found = self.on_node("ls /opt/tools/lib/python3.12/site-packages").split()
        return sorted(name.removesuffix(".dist-info") for name in found if name.endswith(".dist-info"))

    def builds(self):
        return self.on_node("ls -A /opt").split()


@pytest.fixture(scope="module")
def environments(tmp_path_factory):
    return made(tmp_path_factory.mktemp("environments") / "site", Environments)


TOOLS = f"{NODE}/python_environment:/opt/tools"


def test_an_environment_is_built_beside_and_what_goes_wrong_leaves_the_old_one(environments):
    """Predecessor: an environment that was built half counted as there."""
    site = environments
    assert site.apply()["exit"] == 0
    first = site.builds()
    assert (site.packages(), site.on_node("/opt/tools/bin/python -V")) == (
        ["idna-3.10", "six-1.17.0"],
        "Python 3.12.16\n",
    )

    site.declare("six", "sniffio")
    site.fault(Sort.FULL, detail="/opt")
    full = site.apply()
    assert (full["exit"], list(full["stuck"])) == (1, [TOOLS])
    site.faults.clear()
    assert (site.packages(), site.builds()) == (["idna-3.10", "six-1.17.0"], first)

    site.declare("six", "sniffio", python="3.12.1", python_url="file:///etc/hostname", python_sha256="0" * 64)
    wrong = site.apply()["stuck"][TOOLS]
    assert "what came from file:///etc/hostname has the sha256" in wrong
    assert (site.packages(), site.builds()) == (["idna-3.10", "six-1.17.0"], first)

    site.declare("six", "sniffio")
    assert site.apply()["exit"] == 0
    assert (site.packages(), first[0] in site.builds()) == (["six-1.17.0", "sniffio-1.3.1"], False)
    with site.nothing_done():
        assert site.apply()["exit"] == 0


def test_what_somebody_installs_or_removes_by_hand_is_found_and_a_mirror_is_enough(environments):
    site = environments
    site.declare("six", "sniffio")
    assert site.apply()["exit"] == 0
    inside = "/opt/tools/lib/python3.12/site-packages"
    site.on_node(f"cd {inside} && mv sniffio-1.3.1.dist-info other-2.dist-info")
    (entry,) = site.plan()["entries"]
    assert {one["attribute"] for one in entry["changes"]} == {"package sniffio", "package other"}

    # all that it is built from comes from a folder of the node's
    site.on_node("mkdir -p /srv/mirror && cp /var/cache/phoenix/downloads/* /srv/mirror/")
    urls = {fetch.sha256: fetch.url for step in _steps(site) for fetch in step.fetch}
    for sha256, url in urls.items():
        place = "/srv/mirror/" + url.partition("://")[2]
        site.on_node(f"mkdir -p $(dirname {place}) && cp /srv/mirror/{sha256} {place}")
    site.on_node("rm -rf /var/cache/phoenix")
    hosts = ("files.pythonhosted.org", "github.com")
    mirrors = {f"https://{host}/": f"file:///srv/mirror/{host}/" for host in hosts}
    (site.folder / "configs/site.yaml").write_text(yaml({"name": "graphics", "mirrors": mirrors}))
    (title,) = steps(site.plan())
    assert "https:" not in title
    assert title.startswith("fetch file:///srv/mirror/github.com/astral-sh/")
    applied = site.apply()
    assert (applied["exit"], site.packages()) == (0, ["six-1.17.0", "sniffio-1.3.1"]), applied


def _steps(site):
    opened = load(site.folder)
    return opened.resources[Ref(NODE, "python_environment", "/opt/tools")].converge(CREATE)
