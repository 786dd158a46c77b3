"""Archives of containers: what is fetched is checked, and what is wrong is not kept."""

import hashlib

import pytest
from tests.lab.containers import NODE, Containers
from tests.lab.running import LabSite, entry, statuses, steps

UBUNTU = "ubuntu-24.04-standard_24.04-2_amd64.tar.zst"
CACHE = "/tank/archives/template/cache"
REF = "ct_template:mirrored"


class Site(LabSite):
    """A node with a storage for archives, and a mirror that is a folder of its own."""

    def mirrored(self, content, **settings):
        """Declare an archive whose checksum is that of this content."""
        digest = hashlib.sha256(content.encode()).hexdigest()
        declared = {"storage": "tank-archives", "file": "own_1_amd64.tar.gz", "sha256": digest, **settings}
        lines = [f"    {name}: {value}\n" for name, value in declared.items()]
        path = self.folder / f"configs/nodes/{NODE}.yaml"
        before, section, after = path.read_text().partition("ct_template:\n")
        base = after[after.index("  base:") :]
        path.write_text(f"{before}{section}  mirrored:\n{''.join(lines)}{base}")


@pytest.fixture(scope="module")
def _site(tmp_path_factory):
    site = Site(Containers.fresh(tmp_path_factory.mktemp("archives") / "site").folder, NODE)
    site.run("secrets", "init")
    applied = site.apply()
    assert (applied["exit"], statuses(applied)) == (0, {})
    return site


@pytest.fixture
def site(_site, tmp_path):
    return _site.copy(tmp_path / "site")


def test_the_lab_s_archive_has_the_published_checksum_of_what_it_stands_for(site):
    assert site.on_node(f"sha512sum <{CACHE}/{UBUNTU}").startswith("45c2978e6b97fe29")
    other = site.on_node(f"echo >>{CACHE}/{UBUNTU}; sha512sum {CACHE}/{UBUNTU}; sha512sum /etc/hostname")
    assert "45c2978e6b97fe29" not in other
    digest = hashlib.sha512(f"{NODE}\n".encode()).hexdigest()
    assert other.splitlines()[1] == f"{digest}  /etc/hostname"


def test_what_came_with_another_checksum_is_not_kept(site):
    site.on_node("echo evil >/srv/own")
    site.mirrored("good\n", url="file:///srv/own")
    applied = site.apply()
    assert (applied["exit"], statuses(applied)) == (1, {REF: "drift"})
    assert site.on_node(f"ls {CACHE}").split() == [UBUNTU]
    site.on_node("echo good >/srv/own")
    assert site.apply()["exit"] == 0
    assert site.on_node(f"cat {CACHE}/own_1_amd64.tar.gz") == "good\n"


def test_an_archive_that_was_damaged_is_fetched_anew(site):
    site.on_node("echo good >/srv/own")
    site.mirrored("good\n", url="file:///srv/own")
    assert site.apply()["exit"] == 0
    site.on_node(f"echo damaged >{CACHE}/own_1_amd64.tar.gz")
    changes = entry(site.plan(), REF)["changes"]
    assert [change["attribute"] for change in changes] == ["sha256"]
    applied = site.apply()
    fetch = "fetch file:///srv/own as tank-archives:vztmpl/own_1_amd64.tar.gz, check its sha256"
    assert (applied["exit"], steps(applied)) == (0, [fetch])


def test_somebody_else_s_archive_is_taken_when_it_fits_and_left_when_it_does_not(site):
    site.on_node(f"echo theirs >{CACHE}/own_1_amd64.tar.gz")
    site.mirrored("theirs\n", url="file:///srv/own")
    with site.nothing_done():
        assert site.apply()["exit"] == 0
    site.mirrored("ours\n", url="file:///srv/own")
    with site.nothing_done():
        applied = site.apply()
    (refusal,) = entry(applied["plan"], REF)["refusals"]
    assert (applied["exit"], refusal["attribute"]) == (1, "foreign")
    assert "has another checksum, and we did not fetch it" in refusal["reason"]
    assert site.on_node(f"cat {CACHE}/own_1_amd64.tar.gz") == "theirs\n"
