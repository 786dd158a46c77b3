"""Guests as people name them, what is seen of them, and how that is shown."""

import json
import re
from pathlib import Path

import pytest
from tests.packaging.documents import PROJECT, table
from tests.unit.site_files import NODE, POOL, cases, loaded

from phoenix_hypervisor import registry
from phoenix_hypervisor.config import Site
from phoenix_hypervisor.containers import sight as seen
from phoenix_hypervisor.containers.verbs import ContainerVerbs
from phoenix_hypervisor.dialects import lxc_conf
from phoenix_hypervisor.errors import (
    ExitCode,
    GuestDownError,
    GuestError,
    HostError,
    PhoenixError,
    UsageError,
)
from phoenix_hypervisor.guestverbs import Mount, Said, Sight, Snapshot
from phoenix_hypervisor.inspect.looks import Look, Status
from phoenix_hypervisor.observe import document, guests_screen
from phoenix_hypervisor.operate import guests, recreation, standing
from phoenix_hypervisor.operate.journal import Journal
from phoenix_hypervisor.resource import Ref, Refusal, Step
from phoenix_hypervisor.transport import Answer, Question

FILES = {
    NODE: POOL + "zfs_dataset: {tank/disks: {}, tank/archives: {}, tank/models: {}}\n"
    "pve_storage:\n"
    "  disks: {type: zfspool, pool: tank/disks, content: [rootdir]}\n"
    "  archives: {type: dir, path: /tank/archives, content: [vztmpl]}\n"
    "ct_template:\n"
    "  base: {storage: archives, file: ubuntu-24.04-standard_24.04-2_amd64.tar.zst}\n",
    "configs/guests/900-base.yaml": "lxc: {template: base, rootfs: {storage: disks, size: 1G}}\n"
    "lxc_layer: {}\n",
    "configs/guests/950-chat.yaml": "lxc:\n  clone: base\n  after: [gateway]\n"
    "  net: {eth0: {bridge: vmbr0, ip: 10.0.0.50/24, ip6: auto}, eth1: {bridge: vmbr0, ip: manual}}\n"
    "  mounts: {/models: {source: /tank/models/llm}, /etc/pki: {source: /tank/models}}\n",
    "configs/guests/953-gateway.yaml": "lxc: {clone: base, state: stopped}\n",
    "configs/guests/960-old.yaml": "lxc: {clone: base, state: absent}\n",
}
VMLIST = {
    "version": 1,
    "ids": {vmid: {"node": "pve", "type": "lxc", "version": 1} for vmid in ("900", "950", "953")},
}
STORAGES = "zfspool: disks\n\tpool tank/disks\n\tcontent rootdir\n"


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return loaded(tmp_path, FILES)


@pytest.fixture(autouse=True)
def no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")


def one(site: Site, word: str) -> guests.Named:
    (found,) = guests.named(site, [word])
    return found


# --- names ------------------------------------------------------------------------------------------------


def test_every_kind_of_guest_has_verbs_that_go_with_the_protocol() -> None:
    kinds = [registry.kind(name) for name in registry.homes() if registry.kind(name).inhabited]
    assert kinds
    assert all(isinstance(kind.verbs, ContainerVerbs) for kind in kinds if kind.kind == "lxc")
    assert all(kind.verbs is not None for kind in kinds)


def test_a_guest_is_named_by_its_name_or_its_vmid(site: Site) -> None:
    assert [found.called for found in guests.named(site, ["953", "chat", "gateway"])] == [
        "953 gateway",
        "950 chat",
    ]
    assert [found.name for found in guests.named(site, [])] == ["base", "chat", "gateway", "old"]


def test_a_name_nobody_knows_is_said_with_what_may_have_been_meant(tmp_path: Path, site: Site) -> None:
    known = "known: 900 base, 950 chat, 953 gateway, 960 old"
    hints = {"caht": "did you mean `chat`?", "pve": "`pve` is a node; guests live on it", "zzz": known}
    for word, hint in hints.items():
        with pytest.raises(UsageError) as caught:
            guests.named(site, ["chat", word])
        assert str(caught.value) == f"no guest `{word}`\n  hint: {hint}"
    (tmp_path / "none").mkdir()
    with pytest.raises(UsageError, match="guests are the files of configs/guests/"):
        guests.named(loaded(tmp_path / "none"), ["x"])


def test_what_a_guest_needs_is_told_without_its_layer(site: Site) -> None:
    chat, gateway = one(site, "chat"), one(site, "gateway")
    # a gateway that is declared stopped is nobody's fault
    assert [other.name for other in guests.needed_by(site, chat)] == []
    running = {**FILES, "configs/guests/953-gateway.yaml": "lxc: {clone: base}\n"}
    site = loaded(site.folder, running)
    chat, gateway = one(site, "chat"), one(site, "gateway")
    assert [other.name for other in guests.needed_by(site, chat)] == ["gateway"]
    assert [other.name for other in guests.needing(site, gateway)] == ["chat"]
    assert [other.name for other in guests.needing(site, chat)] == []


# --- what is seen -----------------------------------------------------------------------------------------


def confs(**further: str) -> str:
    texts = {
        "900": "tags: phoenix\nrootfs: disks:basevol-900-disk-0,size=1G\ntemplate: 1\n",
        "950": "tags: phoenix\nmemory: 2048\nmp0: /tank/models/llm,mp=/models\n"
        "mp1: disks:subvol-950-disk-1,mp=/data,size=1G\n"
        "parent: s2\nrootfs: disks:basevol-900-disk-0/subvol-950-disk-0,size=1G\n"
        "\n[pve:pending]\nfeatures: nesting=1\ndelete: mp0\n"
        "\n[s1]\nsnaptime: 100\n\n[s2]\nparent: s3\nsnaptime: 100\n\n[s3]\nparent: s1\nsnaptime: 100\n",
        "953": "tags: phoenix\nlock: backup\nprotection: 1\nrootfs: disks:subvol-953-disk-0,size=1G\n",
        **further,
    }
    return "".join(f"==> {vmid}.conf <==\n{text}\n" for vmid, text in texts.items())


def answers(text: str = "", **given: Said) -> list[Said]:
    found = {
        "confs": Said(0, text or confs()),
        "places": Said(0, json.dumps(VMLIST)),
        "node": Said(0, "pve\n"),
        "figures": Said(0, "950 3725 4294967296 1073741824 12500000\n101 - - 0 -\n"),
        "rewritten": Said(0, "950\n"),
        "notes": Said(1, ""),
        "storages": Said(0, STORAGES),
        **given,
    }
    assert len(found) == len(seen.QUESTIONS)
    return list(found.values())


def sights(site: Site, said: list[Said]) -> dict[str, Sight]:
    named = guests.named(site, [])
    return dict(ContainerVerbs().sights([found.resource for found in named], said))


def test_a_container_is_seen_as_its_node_has_it(site: Site) -> None:
    found = sights(site, answers())
    assert found["950"] == Sight(
        "pve",
        here=True,
        running=True,
        waiting=("features", "mp0", "lxc.*"),
        seconds=3725,
        memory=3 << 30,
        most_memory=2 << 30,
        cpu_seconds=12.5,
        snapshots=(Snapshot("s1", 100, ""), Snapshot("s3", 100, "s1"), Snapshot("s2", 100, "s3")),
        newest_only=True,
        mounts=(Mount("/models", "/tank/models/llm"), Mount("/data", "disks:subvol-950-disk-1")),
    )
    assert [mount.is_folder for mount in found["950"].mounts] == [True, False]
    assert (found["900"].template, found["900"].linked, found["900"].wanted) == (True, ("950",), "stopped")
    assert (found["953"].lock, found["953"].protected, found["953"].running) == ("backup", True, False)
    assert (found["960"].node, found["960"].wanted) == ("", "absent")


def test_another_storage_goes_back_to_any_snapshot(site: Site) -> None:
    said = answers(storages=Said(0, STORAGES.replace("zfspool", "lvmthin")))
    assert not sights(site, said)["950"].newest_only
    assert not sights(site, answers(storages=Said(1, "")))["950"].newest_only


def test_what_it_was_made_from_is_compared_with_what_the_layer_is_now(site: Site) -> None:
    assert sights(site, answers())["950"].stale == ""
    fingerprint = one(site, "chat").resource.parent.fingerprint
    for origin, stale in {
        f"from 900 {fingerprint}": "",
        "from 900 0123456789abcdef": "900",
        f"from 901 {fingerprint}": "901",
        "from local:vztmpl/x.tar.zst": "local:vztmpl/x.tar.zst",
    }.items():
        note = Said(0, f"/var/lib/phoenix/made/lxc/950:{origin}\n/var/lib/phoenix/made/lxc/950.parts:x\n")
        assert sights(site, answers(notes=note))["950"].stale == stale, origin


def test_a_guest_elsewhere_and_a_stranger_under_its_vmid_are_not_taken_for_it(site: Site) -> None:
    ids = {
        "900": {"node": "other", "type": "lxc", "version": 1},
        "950": {"node": "pve", "type": "qemu", "version": 1},
    }
    found = sights(site, answers(places=Said(0, json.dumps({"ids": ids}))))
    assert found["900"] == Sight("other", wanted="running")
    assert found["950"] == Sight("pve", another="a virtual machine")
    messages = {
        name: str(guests.hindrance(one(site, name), found[one(site, name).guest.vmid]))
        for name in ("base", "chat")
    }
    assert messages == {
        "base": "guest 900 base is not on pve as declared: Proxmox has it on other\n"
        "  hint: move it back, or declare `node: other` in its file; nothing was done",
        "chat": "950 on pve is a virtual machine, not chat\n"
        "  hint: give the guest another VMID, or take the other away; nothing was done",
    }


@pytest.mark.parametrize("which", ["confs", "places", "node", "figures", "rewritten"])
def test_an_answer_that_is_none_is_unknown(site: Site, which: str) -> None:
    with pytest.raises(ValueError, match="ended with 127: not found"):
        sights(site, answers(**{which: Said(127, "not found\n")}))


def test_the_questions_are_few_and_none_is_perl() -> None:
    assert len(seen.QUESTIONS) == 7
    assert not any(word in question for question in seen.QUESTIONS for word in ("pct", "pvesh", "pvesm"))
    assert seen.QUESTIONS[0] == lxc_conf.QUESTION


# --- what may not be --------------------------------------------------------------------------------------


def refused(does: object) -> list[str]:
    return [act.reason for act in does if isinstance(act, Refusal)]  # type: ignore[attr-defined]


def test_a_folder_in_the_way_of_a_snapshot_is_named_with_its_dataset(site: Site) -> None:
    chat = one(site, "chat")
    mounts = (Mount("/models", "/tank/models/llm"), Mount("/mnt/own", "/srv/own"), Mount("/data", "disks:x"))
    (reason,) = refused(chat.verbs.snapshot(chat.resource, Sight("pve", here=True, mounts=mounts), "s1"))
    assert reason == (
        "Proxmox takes no snapshot of a container into which folders of the node are mounted: /models is "
        "/tank/models/llm (the dataset tank/models), /mnt/own is /srv/own. `vzdump 950` saves the rest of "
        "it; for the folders, on the node: `zfs snapshot tank/models@s1`"
    )


def test_templates_have_no_snapshots_and_layers_of_linked_clones_stay(site: Site) -> None:
    base = one(site, "base")
    template = Sight("pve", here=True, template=True, linked=("950", "951"))
    assert refused(base.verbs.snapshot(base.resource, template, "s1")) == [
        "it is a template, of which there are no snapshots"
    ]
    assert refused(base.verbs.rollback(base.resource, template, "s1")) == [
        "it is a template, which never changes"
    ]
    assert refused(base.verbs.recreate(base.resource, template)) == [
        "it is the layer of linked clones, which share its files: 950, 951"
    ]
    old = one(site, "old")
    assert refused(old.verbs.recreate(old.resource, Sight("pve", here=True))) == ["it is declared absent"]


def test_a_guest_that_does_not_run_is_not_interrupted(site: Site) -> None:
    chat = one(site, "chat")
    stopped = Sight("pve", here=True, snapshots=(Snapshot("s1", 1, ""),))
    for sight, interrupted in ((stopped, ""), (stopped._replace(running=True), "lxc:950 chat")):
        for does in (
            chat.verbs.rollback(chat.resource, sight, "s1"),
            chat.verbs.recreate(chat.resource, sight),
        ):
            first, *rest = does
            assert (first.interrupts, bool(first.destroys)) == (interrupted, True)
            assert len(rest) == (bool(interrupted) if "rollback" in first.title else 0)


def test_what_should_not_be_inside_is_not_planned_for_the_new_one(tmp_path: Path) -> None:
    inside = 'host_file:\n  /etc/a: {content: "a"}\n  /etc/b: {content: "b", state: absent}\n'
    site = loaded(tmp_path, {**FILES, "configs/guests/954-new.yaml": f"lxc: {{clone: base}}\n{inside}"})
    new = one(site, "new")
    looks = {ref: Look(ref, Status.OK) for ref in site.resources}
    missing = recreation.as_if_missing(site, new, looks)
    first = Step("take it away", ("true",), destroys="its root")
    plan = recreation.plan_of(site, new, [first], missing)
    assert [
        (str(entry.ref), entry.after and str(entry.after), bool(entry.steps)) for entry in plan.entries
    ] == [
        ("lxc:954", None, True),
        ("host_file:/etc/a", "lxc:954", True),
        ("host_file:/etc/b", "lxc:954", False),
    ]
    assert plan.entries[0].steps[0] == first
    assert {ref for ref, look in missing.items() if look.status is not Status.OK} == set(site.of_guest("new"))


@pytest.mark.parametrize("status", [Status.DRIFT, Status.UNKNOWN, Status.BLOCKED, Status.UNHEALTHY])
def test_a_guest_whose_layer_is_not_right_is_not_taken_away(site: Site, status: Status) -> None:
    layer = Ref("pve", "lxc_layer", "900")
    looks = {ref: Look(ref, Status.OK) for ref in site.resources} | {layer: Look(layer, status)}
    with pytest.raises(PhoenixError, match=f"it needs lxc_layer:900, which is {status.value}"):
        recreation.as_if_missing(site, one(site, "chat"), looks)


# --- how it is shown --------------------------------------------------------------------------------------


def shown(site: Site) -> list[standing.Standing]:
    found: dict[str, Sight | HostError] = {
        "base": HostError("host `pve` cannot be reached: timed out"),
        "chat": Sight(
            "pve",
            here=True,
            running=True,
            lock="snapshot",
            waiting=("features", "lxc.*"),
            seconds=3725,
            memory=6 << 30,
            most_memory=24 << 30,
            stale="900",
        ),
        "gateway": Sight("pve", here=True, running=True, wanted="stopped", most_memory=512 << 20, seconds=5),
        "old": Sight("other", wanted="absent"),
    }
    return standing.standings(site, guests.named(site, []), found)


def test_the_table_is_as_written_down(site: Site) -> None:
    assert "\n".join(guests_screen.lines(shown(site))) == cases("screens")["guests by hand"][1]
    assert list(guests_screen.lines([])) == ["no guests: they are the files of configs/guests/"]


def test_the_exit_status_says_the_worst(site: Site) -> None:
    base, chat, gateway, old = shown(site)
    for found, code in (
        ([], ExitCode.OK),
        ([chat], ExitCode.OK),
        ([chat, base], ExitCode.UNKNOWN),
        ([gateway], ExitCode.FAILED),
        ([old, base], ExitCode.FAILED),
    ):
        assert standing.exit_code(found) == code


def test_the_document_has_what_the_table_has(site: Site) -> None:
    found = json.loads(document.text(guests_screen.document(shown(site), ExitCode.FAILED, {"pve": 2})))
    assert (found["version"], found["exit"], found["round_trips"]) == (1, 1, {"pve": 2})
    base, chat, gateway, old = found["guests"]
    assert (base["state"], base["error"]) == ("unknown", "host `pve` cannot be reached: timed out")
    assert (chat["lock"], chat["waiting"], chat["stale_from"]) == ("snapshot", ["features", "lxc.*"], "900")
    assert (gateway["declared"], gateway["state"]) == ("stopped", "running")
    assert (old["state"], old["found_on"]) == ("elsewhere", "other")


def test_the_page_has_the_keys_of_the_document_and_no_others(site: Site) -> None:
    found = guests_screen.document(shown(site), ExitCode.FAILED, {})
    parts = (PROJECT / "docs/guests.md").read_text(encoding="utf-8").split("\n\n| key | |\n")[1:]
    whole, entry = (
        {key for first, *_ in table("| key | |\n" + part, "| key") for key in re.findall("`([^`]+)`", first)}
        for part in parts
    )
    assert (whole, entry) == (found.keys(), found["guests"][0].keys())


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59, "59 s"), (60, "1 min"), (3725, "1 h 2 min"), (86400, "1 d"), (200_000, "2 d 7 h")],
)
def test_a_time_is_said_in_its_two_largest_units(seconds: int, text: str) -> None:
    assert guests_screen.span(seconds) == text


# --- journals ---------------------------------------------------------------------------------------------


class Hosts:
    """A fleet whose hosts answer from a list; a guest without answers left does not run."""

    def __init__(self, **said: list[str]) -> None:
        self.said = said
        self.asked: list[str] = []

    def transport(self, host: str) -> "Hosts":
        self._host = host
        return self

    def ask(self, questions: list[Question]) -> list[Answer]:
        if not self.said.get(self._host):
            raise GuestDownError("it does not run")
        self.asked += [f"{self._host}: {question.command}" for question in questions]
        return [Answer(0, self.said[self._host].pop(0).encode(), b"")]


def test_a_journal_is_followed_from_where_it_was_left(site: Site) -> None:
    hosts = Hosts(
        chat=["one\ntwo\n-- cursor: s=1\n", "", "three\n-- cursor: s=2\n"], pve=["stopped\n", "gone\n"]
    )
    journal = Journal(hosts, one(site, "chat"), Sight("pve", here=True, running=True))  # type: ignore[arg-type]
    turns = journal.follow(5)
    assert [next(turns) for _ in range(4)] == ["one\ntwo\n", "", "three\n", "stopped\n"]
    assert ["--show-cursor" in asked for asked in hosts.asked] == [True] * 4
    assert ["--after-cursor=s=1" in asked for asked in hosts.asked] == [False, True, True, False]
    assert "pve-container@950.service" in hosts.asked[3]
    assert list(turns) == []  # nothing says where to go on


def test_a_journal_is_read_once_without_a_place_in_it(site: Site) -> None:
    hosts = Hosts(pve=["started\n"])
    stopped = Journal(hosts, one(site, "chat"), Sight("pve", here=True))  # type: ignore[arg-type]
    assert stopped.last(7) == "started\n"
    assert hosts.asked == ["pve: journalctl --no-pager -q -u pve-container@950.service -n 7"]


def test_a_journal_that_cannot_be_read_is_no_empty_one(site: Site) -> None:
    class Silent(Hosts):
        def ask(self, questions: list[Question]) -> list[Answer]:
            return [Answer(1, b"", b"Failed to open the journal\n") for _ in questions]

    journal = Journal(Silent(), one(site, "chat"), Sight("pve", here=True))  # type: ignore[arg-type]
    with pytest.raises(
        GuestError, match="the journal of 950 chat cannot be read: Failed to open the journal"
    ):
        journal.last(7)
