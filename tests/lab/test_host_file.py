"""Files with a content of ours, on a node and in its guests: what is written, and what is not."""

import pytest
from tests.lab.containers import BASE, NODE, Containers
from tests.lab.running import LabSite, entry, statuses, steps

from phoenix_hypervisor.observe.kinds_page import yaml
from phoenix_hypervisor.secrets import Secret

CANARY = "canary-8c1f-Wq"  # no secret: only ever on lab nodes made by these tests
LAYER, BOX = "900-base", "101-box"
OWNED = {
    "content": "name = @NAME@\nkey = @KEY@\n",
    "values": {"NAME": "box", "KEY": Secret("api/key")},
    "owner": "www-data",
    "mode": "0640",
}
REF = "host_file:/etc/app.conf"


class Site(LabSite):
    """A layer, and a container cloned from it."""

    def declare(self, guest, **sections):
        (self.folder / f"configs/guests/{guest}.yaml").write_text(yaml(sections))

    def box(self, **files):
        """Declare the files inside the container, by the word in `/etc/<word>.conf`."""
        inside = {f"/etc/{name}.conf": settings for name, settings in files.items()}
        self.declare(BOX, lxc={"clone": "base"}, host_file=inside)

    def inside(self, command):
        return self.on_node(f"lxc-attach -n 101 --clear-env -- /bin/sh -c {command!r}")


@pytest.fixture(scope="module")
def _site(tmp_path_factory):
    folder = Containers.fresh(tmp_path_factory.mktemp("files") / "site").folder
    site = Site(folder, NODE)
    for arguments, stdin in ((("secrets", "init"), b""), (("secrets", "set", "api/key"), CANARY.encode())):
        assert site.run(*arguments, stdin=stdin).status == 0
    layer = {"/etc/layer.conf": {"content": "of the layer\n"}}
    site.declare(LAYER, lxc=BASE, lxc_layer={}, host_file=layer)
    site.box(app=OWNED)
    applied = site.apply()
    assert (applied["exit"], statuses(applied)) == (0, {})
    return site


@pytest.fixture
def site(_site, tmp_path):
    return _site.copy(tmp_path / "site")


def test_a_file_in_a_guest_is_written_with_its_secret_owner_and_mode(site):
    assert site.inside("cat /etc/app.conf") == f"name = box\nkey = {CANARY}\n"
    assert site.inside("stat -c '%U:%G %a' /etc/app.conf") == "www-data:root 640\n"
    with site.nothing_done():
        assert site.apply()["exit"] == 0
    assert not any(CANARY in act for act in site.all_acts())
    assert "canary" not in site.run("plan", "--json").out


@pytest.mark.parametrize(
    ("behind_our_back", "done"),
    [
        ("echo more >>/etc/app.conf", ["write /etc/app.conf (with <secret api/key>)"]),
        ("rm /etc/app.conf", ["write /etc/app.conf (with <secret api/key>)"]),
        ("chmod 666 /etc/app.conf", ["chmod 640 /etc/app.conf"]),
        ("chown root /etc/app.conf", ["chown -h www-data:root /etc/app.conf", "chmod 640 /etc/app.conf"]),
        (
            "ln -sf /etc/passwd /etc/app.conf",
            ["write /etc/app.conf (with <secret api/key>)"],
        ),
    ],
)
def test_what_was_changed_in_a_guest_is_changed_back(site, behind_our_back, done):
    passwd = site.inside("cat /etc/passwd")
    site.inside(behind_our_back)
    applied = site.apply()
    assert (applied["exit"], steps(applied)) == (0, done)
    assert site.inside("cat /etc/app.conf; stat -c '%U %a' /etc/app.conf") == (
        f"name = box\nkey = {CANARY}\nwww-data 640\n"
    )
    assert site.inside("cat /etc/passwd") == passwd


def test_a_rotated_secret_is_another_content(site):
    assert site.run("secrets", "set", "api/key", stdin=b"canary-new").status == 0
    changed = entry(site.plan(), REF)["changes"]
    assert [(c["attribute"], c["actual"], c["desired"]) for c in changed] == [
        ("content", "another one", "as declared")
    ]
    assert site.apply()["exit"] == 0
    assert site.inside("cat /etc/app.conf") == "name = box\nkey = canary-new\n"


@pytest.mark.parametrize(
    ("theirs", "said"),
    [
        ("echo theirs >/etc/app2.conf", "/etc/app2.conf is somebody else's file"),
        ("ln -s /etc/passwd /etc/app2.conf", "/etc/app2.conf is somebody else's link"),
        ("mkdir /etc/app2.conf", "/etc/app2.conf is not a file"),
    ],
)
def test_what_somebody_else_put_there_is_said_and_stays(site, theirs, said):
    site.inside(theirs)
    before = site.inside("ls -l /etc/app2.conf; cat /etc/passwd")
    site.box(app=OWNED, app2={"content": "ours\n"})
    with site.nothing_done():
        applied = site.apply()
    assert applied["exit"] == 1
    (refusal,) = entry(applied["plan"], "host_file:/etc/app2.conf")["refusals"]
    assert refusal["reason"].startswith(said)
    assert site.inside("ls -l /etc/app2.conf; cat /etc/passwd") == before


@pytest.mark.parametrize("theirs", ["echo theirs >/etc/app2.conf", "ln -s /etc/passwd /etc/app2.conf"])
def test_what_is_taken_over_is_kept_and_put_back(site, theirs):
    site.inside(theirs)
    before = site.inside("ls -l /etc/app2.conf; cat /etc/passwd")
    site.box(app=OWNED, app2={"content": "ours\n", "overwrite": True})
    assert site.apply()["exit"] == 0
    assert site.inside("test ! -h /etc/app2.conf && cat /etc/app2.conf") == "ours\n"
    site.box(app=OWNED)
    assert [ref.partition("/")[2] for ref in site.plan()["orphans"]] == ["host_file:/etc/app2.conf"]
    assert site.apply("--prune")["exit"] == 0
    assert site.inside("ls -l /etc/app2.conf; cat /etc/passwd") == before
    assert site.plan()["orphans"] == []


def test_a_folder_is_not_even_taken_over(site):
    site.inside("mkdir /etc/app2.conf")
    site.box(app=OWNED, app2={"content": "ours\n", "overwrite": True})
    with site.nothing_done():
        assert site.apply()["exit"] == 1


def test_what_a_clone_took_over_from_its_layer_is_no_orphan_and_may_be_declared_otherwise(site):
    assert site.inside("cat /etc/layer.conf") == "of the layer\n"
    assert site.plan()["orphans"] == []
    site.box(app=OWNED, layer={"content": "of the box\n"})
    applied = site.apply()
    assert (applied["exit"], steps(applied)) == (0, ["write /etc/layer.conf"])
    assert site.inside("cat /etc/layer.conf") == "of the box\n"


def test_a_content_that_came_only_in_part_takes_nobodys_place(site):
    site.append("  /etc/cut.conf: {content: whole}\n", f"configs/nodes/{NODE}.yaml")
    script = "/var/lib/phoenix/scripts/host_file/etc.cut%2Econf.sh"
    assert site.apply()["exit"] == 0
    for part in ("whole", "wh", "", "whole\n-- the file ends here --"):
        site.on_node(f"printf %s {part!r} | sh {script} 2>/dev/null && exit 9 || :")
        assert site.on_node("cat /etc/cut.conf; ls /etc | grep -c cut.conf") == "whole1\n"
