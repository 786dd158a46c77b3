"""What goes wrong with the base system of a node: it is said, and nothing is half done."""

import pytest
from tests.contract.ground import HOST, Run, Scene
from tests.lab.containers import BASE, Containers

from phoenix_hypervisor.config import Site
from phoenix_hypervisor.errors import ExitCode
from phoenix_hypervisor.lab import sandbox
from phoenix_hypervisor.render import Renderer
from phoenix_hypervisor.resource import Ref

SOURCES = "/etc/apt/sources.list.d"
OWN = {"uris": ["https://packages.example.org/debian"], "suites": ["trixie"], "components": ["main"]}
HOLD = (
    "import fcntl, sys; f = open(sys.argv[1], 'a'); fcntl.lockf(f, fcntl.LOCK_EX); "
    "print('held', flush=True); input()"
)
"""Holds a lock until its stdin ends."""


@pytest.fixture
def scene(tmp_path) -> Scene:
    return Scene.fresh(tmp_path / "site")


def text(scene: Scene, path: str) -> str:
    return (scene.node.root / path[1:]).read_text()


def write(scene: Scene, path: str, content: str) -> None:
    (scene.node.root / path[1:]).write_text(content)


def names(scene: Scene, folder: str) -> set[str]:
    return {path.name for path in (scene.node.root / folder[1:]).iterdir()}


def on_node(scene: Scene, command: str) -> str:
    ended = scene.node.run(command)
    assert ended.status == 0, ended.stderr.decode()
    return ended.stdout.decode()


def applied(scene: Scene, sections: dict, *, prune: bool = False, destroy: tuple[str, ...] = ()) -> Run:
    scene.declare(sections)
    return scene.run(apply=True, prune=prune, destroy=destroy)


def good(scene: Scene, sections: dict, **how: bool) -> Run:
    run = applied(scene, sections, **how)
    assert run.code is ExitCode.OK, run.shown
    return run


def script_of(scene: Scene, site: Site, kind: str, name: str) -> str:
    """Put the first script of a resource on the node, as a step would; its path."""
    one = site.resources[Ref(HOST, kind, name)]
    artifact = next(artifact for artifact in one.artifacts() if artifact.script)
    write(scene, "/tmp/script.sh", Renderer().text(kind, artifact, one))
    return "/tmp/script.sh"


def holding(lock: str, command: str) -> str:
    """A command that is run while another process of the node holds a lock."""
    python = sandbox.python()
    return f"""\
mkfifo /tmp/end /tmp/held
{python} -c "{HOLD}" {lock} </tmp/end >/tmp/held & exec 9>/tmp/end
read -r _ </tmp/held
status=0; {command} || status=$?
exec 9>&-; wait; rm -f /tmp/end /tmp/held
exit $status
"""


# --- packages ---------------------------------------------------------------------------------------------


def test_after_an_interrupted_dpkg_nothing_is_installed_until_somebody_has_looked(scene):
    write(scene, "/var/lib/dpkg/updates/0001", "")
    run = applied(scene, {"apt_package": {"htop": {}}})
    assert (run.code, run.acts) == (ExitCode.FAILED, [])
    assert "run `dpkg --configure -a` on the host" in run.shown
    on_node(scene, "dpkg --configure -a")
    good(scene, {"apt_package": {"htop": {}}})


def test_a_dpkg_that_is_interrupted_in_between_is_named_by_the_step(scene):
    site = scene.declare({"apt_package": {"htop": {}}})
    path = script_of(scene, site, "apt_package", "htop")
    write(scene, "/var/lib/dpkg/updates/0001", "")
    ended = scene.node.run(f"sh {path}")
    assert ended.status == 1
    assert "you must manually run 'dpkg --configure -a'" in ended.stderr.decode()
    assert not (scene.node.root / "var/lib/phoenix/made/apt_package/htop").exists()


def test_a_lock_that_is_not_let_go_is_waited_for_and_its_holder_named(scene):
    site = scene.declare({"apt_package": {"htop": {"lock_wait": 1}}})
    path = script_of(scene, site, "apt_package", "htop")
    ended = scene.node.run(holding("/var/lib/dpkg/lock-frontend", f"sh {path}"))
    said = ended.stderr.decode()
    assert ended.status == 1, said
    assert "htop is not installed" in said
    assert "Could not get lock /var/lib/dpkg/lock-frontend. It is held by process" in said
    assert f"({sandbox.python().name[:15]})" in said
    assert "is another process using it?" in said
    assert not (scene.node.root / "var/lib/phoenix/made/apt_package/htop").exists()
    on_node(scene, f"sh {path}")
    assert "htop" in on_node(scene, "dpkg-query -W htop")


def test_lists_that_somebody_else_updates_are_not_touched_and_they_are_named(scene):
    ended = scene.node.run(holding("/var/lib/apt/lists/lock", "apt-get update"))
    assert ended.status == 100
    assert "E: Could not get lock /var/lib/apt/lists/lock. It is held by process" in ended.stderr.decode()


def test_a_package_that_no_repository_has_is_said_and_nothing_is_noted(scene):
    run = applied(scene, {"apt_package": {"no-such-package": {}, "htop": {}}})
    assert run.code is ExitCode.FAILED
    assert "Unable to locate package no-such-package" in run.shown
    assert names(scene, "/var/lib/phoenix/made/apt_package") == {"htop"}


STALE = """\
#!/bin/sh
case "$*" in *-s*) ;; *install*) if [ ! -e /tmp/updated ]; then
    echo "E: Unable to fetch some archives, maybe run apt-get update or try with --fix-missing?" >&2; exit 100
fi ;; update) : >/tmp/updated ;; esac
exec /usr/local/sbin/apt-get-of-the-lab "$@"
"""
"""An APT whose mirrors no longer have what its lists name."""


def test_lists_that_are_older_than_the_mirrors_are_read_again(scene):
    site = scene.declare({"apt_package": {"htop": {}}})
    path = script_of(scene, site, "apt_package", "htop")
    on_node(scene, "apt-get update || :; cd /usr/local/sbin; cp -p apt-get apt-get-of-the-lab")
    write(scene, "/usr/local/sbin/apt-get", STALE)
    on_node(scene, f"sh {path}")
    assert "htop" in on_node(scene, "dpkg-query -W htop")


def test_no_package_is_upgraded_by_the_way(scene):
    on_node(scene, "apt-get update; apt-get -y install libjq1=1.6-2.1")
    run = applied(scene, {"apt_package": {"jq": {}}})
    assert run.code is ExitCode.FAILED
    assert "APT would upgrade libjq1" in run.shown
    assert on_node(scene, "dpkg-query -W libjq1").split()[1] == "1.6-2.1"
    good(scene, {"apt_package": {"jq": {"version": "1.6-2.1"}}})


def test_no_package_goes_for_another_one_s_sake(scene):
    run = applied(scene, {"apt_package": {"systemd-timesyncd": {}}})
    assert run.code is ExitCode.FAILED
    assert "Packages need to be removed but remove is disabled" in run.shown
    assert on_node(scene, "dpkg-query -W chrony")


def test_a_package_that_another_one_needs_is_not_removed(scene):
    good(scene, {"apt_package": {"libjq1": {}}})
    on_node(scene, "apt-get -y install jq")
    run = applied(scene, {}, prune=True)
    assert run.code is ExitCode.FAILED
    assert "libjq1 is not removed: jq would go with it" in run.shown
    assert on_node(scene, "dpkg-query -W libjq1 jq")


def test_a_package_of_somebody_else_stays_when_it_is_declared_no_longer(scene):
    on_node(scene, "apt-get update; apt-get -y install htop")
    assert good(scene, {"apt_package": {"htop": {}}}).acts == []
    assert good(scene, {}, prune=True).acts == []
    refused = applied(scene, {"apt_package": {"htop": {"state": "absent"}}})
    assert (refused.code, refused.acts) == (ExitCode.FAILED, [])
    assert "--allow-destroy apt_package:htop" in refused.shown


def test_a_hold_of_somebody_else_is_left(scene):
    on_node(scene, "apt-get update; apt-get -y install htop; apt-mark hold htop")
    assert good(scene, {"apt_package": {"htop": {}}}).acts == []
    assert on_node(scene, "apt-mark showhold") == "htop\n"


# --- repositories -----------------------------------------------------------------------------------------


def test_a_repository_that_is_not_reachable_changes_nothing(scene):
    before = names(scene, SOURCES)
    run = applied(scene, {"apt_repository": {"x": {**OWN, "uris": ["https://packages.invalid/debian"]}}})
    assert run.code is ExitCode.FAILED
    assert "Could not resolve 'packages.invalid'" in run.shown
    assert names(scene, SOURCES) == before
    assert [path for path in names(scene, "/tmp") if path.startswith("tmp.")] == []


def test_a_repository_whose_key_is_missing_changes_nothing(scene):
    before = names(scene, SOURCES)
    run = applied(scene, {"apt_repository": {"x": {**OWN, "signed_by": "/etc/apt/keyrings/none.gpg"}}})
    assert run.code is ExitCode.FAILED
    assert "the public key is not available" in run.shown
    assert names(scene, SOURCES) == before


def test_a_repository_that_moves_to_nowhere_stays_where_it_was(scene):
    good(scene, {"apt_repository": {"x": OWN}})
    before = text(scene, f"{SOURCES}/phoenix-x.sources")
    run = applied(scene, {"apt_repository": {"x": {**OWN, "uris": ["https://packages.invalid/debian"]}}})
    assert run.code is ExitCode.FAILED
    assert text(scene, f"{SOURCES}/phoenix-x.sources") == before


def test_a_keyring_with_another_digest_is_not_trusted(scene):
    write(scene, "/etc/apt/keyrings/k.asc", "theirs\n")
    declared = {**OWN, "signed_by": {"keyring": "/etc/apt/keyrings/k.asc", "sha256": "0" * 64}}
    run = applied(scene, {"apt_repository": {"x": declared}})
    assert (run.code, run.acts) == (ExitCode.FAILED, [])
    assert "install the one that is declared first" in run.shown


def test_what_somebody_else_names_already_is_reported(scene):
    keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"
    declared = {**OWN, "uris": ["http://deb.debian.org/debian/"], "signed_by": keyring}
    run = applied(scene, {"apt_repository": {"x": declared}})
    assert (run.code, run.acts) == (ExitCode.FAILED, [])
    assert "debian.sources (http://deb.debian.org/debian/ trixie)" in run.shown
    good(scene, {"apt_repository": {"x": {**declared, "components": ["non-free"]}}})


THEIRS = {
    "enterprise.list": """\
# kept
deb [arch=amd64] https://enterprise.proxmox.com/debian/pve bookworm pve-enterprise
  deb-src https://enterprise.proxmox.com/debian/pve bookworm pve-enterprise
#deb https://old.example.org x main
""",
    "enterprise.sources": """\
# kept
Types: deb
# inside
URIs: https://enterprise.proxmox.com/debian/pve
Suites: trixie
Components: pve-enterprise
Enabled: yes


Types: deb
URIs: https://enterprise.proxmox.com/debian/ceph-squid
Suites: trixie
Components: enterprise
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 words
""",
}


@pytest.mark.parametrize("name", THEIRS)
def test_what_was_switched_off_is_put_back_as_it_was(scene, name):
    path = f"{SOURCES}/{name}"
    write(scene, path, THEIRS[name])
    good(scene, {"apt_repository": {"enterprise": {"file": path, "enabled": False}}})
    off = text(scene, path)
    assert [line for line in THEIRS[name].splitlines() if line.startswith("#")] == [
        line for line in off.splitlines() if line.startswith("#") and not line.startswith(("# deb", "#  "))
    ]
    # APT agrees: what is left needs no subscription
    on_node(scene, f"rm {SOURCES}/pve-enterprise.sources {SOURCES}/ceph.sources; apt-get update")
    good(scene, {}, prune=True)
    assert text(scene, path) == THEIRS[name]


def test_what_somebody_changed_since_is_left_as_it_is(scene):
    path = f"{SOURCES}/pve-enterprise.sources"
    good(scene, {"apt_repository": {"enterprise": {"file": path, "enabled": False}}})
    write(scene, path, "# mine now\n")
    good(scene, {}, prune=True)
    assert text(scene, path) == "# mine now\n"


def test_a_file_that_is_not_there_is_off_already(scene):
    declared = {"apt_repository": {"enterprise": {"file": f"{SOURCES}/none.list", "enabled": False}}}
    assert good(scene, declared).acts == []


# --- names, parameters, modules, logs ---------------------------------------------------------------------


def test_other_lines_of_etc_hosts_stay_as_they_are(scene):
    theirs = "# words\n127.0.0.1\tlocalhost  # more\n\n10.0.0.13 pve1.lab pve1 pvelocalhost\n"
    write(scene, "/etc/hosts", theirs)
    good(scene, {"hosts_entry": {"192.0.2.1": {"names": ["a"]}, "192.0.2.2": {"names": ["b"]}}})
    good(scene, {"hosts_entry": {"192.0.2.1": {"names": ["a", "c"]}, "192.0.2.2": {"names": ["b"]}}})
    assert text(scene, "/etc/hosts") == theirs + "192.0.2.1 a c\n192.0.2.2 b\n"
    good(scene, {}, prune=True)
    assert text(scene, "/etc/hosts") == theirs


def test_what_another_line_says_already_is_not_said_again_and_what_it_denies_is_reported(scene):
    write(scene, "/etc/hosts", "10.0.0.5 nas.example.org nas\n")
    assert good(scene, {"hosts_entry": {"10.0.0.5": {"names": ["nas"]}}}).acts == []
    run = applied(scene, {"hosts_entry": {"10.0.0.6": {"names": ["nas"]}}})
    assert (run.code, run.acts) == (ExitCode.FAILED, [])
    assert "another line of /etc/hosts says nas is 10.0.0.5" in run.shown


def test_a_line_that_was_written_by_a_run_that_was_cut_is_still_ours(scene):
    """Cut between the rename of the table and the last note: both lines are noted."""
    good(scene, {"hosts_entry": {"192.0.2.1": {"names": ["a"]}}})
    before = text(scene, "/etc/hosts")
    write(scene, "/var/lib/phoenix/made/hosts_entry/192.0.2.1", "192.0.2.1 a\n192.0.2.1 b\n")
    good(scene, {"hosts_entry": {"192.0.2.1": {"names": ["b"]}}})
    assert text(scene, "/etc/hosts") == before.replace("192.0.2.1 a", "192.0.2.1 b")


def test_the_node_s_own_line_keeps_further_names_and_is_put_back(scene):
    theirs = "127.0.0.1 localhost\n10.0.0.13 pve1.lab pve1 pvelocalhost\n::1 pve1\n"
    write(scene, "/etc/hosts", theirs)
    good(scene, {"hostname": {"domain": "example.org", "address": "10.0.0.14"}})
    assert text(scene, "/etc/hosts").splitlines()[1] == "10.0.0.14 pve1.example.org pve1 pvelocalhost"
    good(scene, {}, prune=True)
    assert text(scene, "/etc/hosts") == theirs


def test_the_kernel_has_the_first_word(scene):
    sections = {"sysctl": {"vm.no_such": {"value": 1}}, "kernel_module": {"no_such": {"options": {"x": 1}}}}
    run = applied(scene, sections)
    assert run.code is ExitCode.FAILED
    assert "cannot stat /proc/sys/vm/no_such" in run.shown
    assert "Module no_such not found" in run.shown
    found = (
        names(scene, "/etc/sysctl.d") | names(scene, "/etc/modprobe.d") | names(scene, "/etc/modules-load.d")
    )
    assert [name for name in found if "no_such" in name] == []


def test_a_parameter_that_a_loaded_module_does_not_take_is_said(scene):
    on_node(scene, "modprobe loop")
    run = applied(scene, {"kernel_module": {"loop": {"options": {"max_loop": 64}}}})
    assert run.code is ExitCode.FAILED
    assert "loop takes max_loop only when it is loaded" in run.shown
    assert "max_loop=64" in text(scene, "/etc/modprobe.d/zz-phoenix-module-loop.conf")


def test_a_file_that_is_read_after_ours_is_named(scene):
    write(scene, "/etc/sysctl.d/zzz.conf", "vm.swappiness = 77\n")
    run = applied(scene, {"sysctl": {"vm.swappiness": {"value": 10}}})
    assert run.code is ExitCode.FAILED
    assert "says vm.swappiness = 77: take it out there" in run.shown


def test_a_log_that_somebody_else_rotates_is_reported_in_logrotate_s_own_words(scene):
    write(scene, "/var/log/x.log", "")
    write(scene, "/etc/logrotate.d/a-theirs", "/var/log/x.log {\n    daily\n}\n")
    run = applied(scene, {"logrotate": {"x": {"paths": ["/var/log/x.log"]}}})
    assert run.code is ExitCode.FAILED
    assert "duplicate log entry for /var/log/x.log" in run.shown


def test_a_zone_that_does_not_exist_is_not_set(scene):
    run = applied(scene, {"timezone": {"zone": "Europe/Nowhere"}})
    assert run.code is ExitCode.FAILED
    assert "Invalid or not installed time zone 'Europe/Nowhere'" in run.shown


def test_the_zone_there_was_is_set_again(scene):
    on_node(scene, "timedatectl set-timezone Asia/Tokyo")
    good(scene, {"timezone": {"zone": "Europe/Berlin"}})
    good(scene, {}, prune=True)
    assert on_node(scene, "readlink /etc/localtime; cat /etc/timezone").split() == [
        "/usr/share/zoneinfo/Asia/Tokyo",
        "Asia/Tokyo",
    ]


def test_other_sources_of_the_clock_stay(scene):
    good(scene, {"ntp": {"servers": ["192.0.2.1"]}})
    assert "2.debian.pool.ntp.org" in on_node(scene, "chronyc -c -N sources -a")
    good(scene, {}, prune=True)
    assert "192.0.2.1" not in on_node(scene, "chronyc -c -N sources -a")


# --- in a guest -------------------------------------------------------------------------------------------


def test_what_a_clone_took_over_from_its_layer_is_no_orphan(tmp_path):
    """A layer's packages, files and notes are in its clones; `--prune` must not empty those."""
    site = Containers.fresh(tmp_path / "site")
    layer = {
        "apt_repository": {"x": OWN},
        "apt_package": {"htop": {}},
        "timezone": {"zone": "Europe/Berlin"},
        "sysctl": {"net.ipv4.tcp_rmem": {"value": "4096 131072 6291456"}},
    }
    clones = {
        "901-upper": {"lxc": {"clone": "lower"}, "lxc_layer": {}},
        "950-work": {"lxc": {"clone": "upper"}},
    }
    site.declare({"900-lower": {"lxc": BASE, "lxc_layer": {}, **layer}, **clones})
    done = site.run(apply=True, prune=True)
    assert (done.code, done.orphans) == (ExitCode.OK, [])
    again = site.run(apply=True, prune=True)
    assert (again.code, again.orphans, again.nothing) == (ExitCode.OK, [], True)
    # declared nowhere any more, it is an orphan where it can be looked at: in the clone that runs
    site.declare({"900-lower": {"lxc": BASE, "lxc_layer": {}}, **clones})
    assert set(site.run().orphans) >= {"apt_package:htop", "apt_repository:x", "timezone:work"}


def test_a_guest_has_a_base_system_as_a_node_has(tmp_path):
    site = Containers.fresh(tmp_path / "site")
    inside = {
        "apt_repository": {"x": OWN},
        "apt_package": {"htop": {}, "jq": {"state": "held"}, "logrotate": {}},
        "timezone": {"zone": "Europe/Berlin"},
        "hostname": {"address": "10.0.0.21", "domain": "example.org"},
        "hosts_entry": {"192.0.2.1": {"names": ["nas"]}},
        "sysctl": {"net.ipv4.tcp_rmem": {"value": "4096 131072 6291456"}},
        "logrotate": {"app": {"paths": ["/var/log/app/*.log"]}},
    }
    site.declare({"101-web": {"lxc": BASE, **inside}})
    done = site.run(apply=True)
    assert done.code is ExitCode.OK, done
    again = site.run(apply=True)
    assert (again.nothing, again.code) == (True, ExitCode.OK)
    site.declare({"101-web": {"lxc": BASE}})
    assert set(site.run().orphans) >= {f"apt_package:{name}" for name in ("htop", "jq", "logrotate")}
    pruned = site.run(apply=True, prune=True)
    assert (pruned.code, site.run().orphans) == (ExitCode.OK, [])
