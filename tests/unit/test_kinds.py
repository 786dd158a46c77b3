"""What each kind does about each single difference, and what no kind ever does."""

import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from tests.unit.site_files import cases, sample_sets

from phoenix_hypervisor import registry
from phoenix_hypervisor.config import load
from phoenix_hypervisor.render import Renderer, render
from phoenix_hypervisor.resource import (
    CREATE,
    REMOVE,
    Change,
    Difference,
    Kind,
    Ref,
    Refusal,
    Step,
)
from phoenix_hypervisor.secrets import Secret

REPOSITORY = Path(__file__).resolve().parents[2]
STEPS = cases("kind_steps")
KINDS = list(registry.homes())


def resource(kind: str, name: str, settings: dict) -> Kind:
    return registry.kind(kind).model_validate({**settings, "name": name})


def described(step: Step | Refusal) -> str:
    """A step in one line: what it does, then whatever is not the usual."""
    if isinstance(step, Refusal):
        return f"! {step.attribute}: {step.reason}"
    artifact = step.push or step.execute
    words = [f"{'push' if step.push else 'run'} {artifact.path}" if artifact else shlex.join(step.argv)]
    words += [f"< {str(step.stdin)!r}"] if step.stdin else []
    words += [f"[{step.effect}]"] if step.effect else []
    words += ["(once)"] if step.once else []
    words += ["(checked)"] if step.check else []
    words += [f"(then reload {step.pending})"] if step.pending else []
    words += [f"destroys {step.destroys}"] if step.destroys else []
    return " ".join(words)


def change_of(written: dict | str) -> Change:
    if isinstance(written, str):
        return {"create": CREATE, "remove": REMOVE}[written]
    return Change({name: Difference(*sides) for name, sides in written.items()})


@pytest.mark.parametrize("what", STEPS)
def test_a_single_difference_gives_exactly_these_steps(what: str) -> None:
    text, expected = STEPS[what]
    case = YAML(typ="safe", pure=True).load(text.replace("!secret", ""))
    (kind, declared), *_ = [(key, value) for key, value in case.items() if key != "change"]
    (name, settings), *_ = declared.items()
    if "password" in settings:
        settings["password"] = Secret(settings["password"])
    one = resource(kind, name, settings)
    steps = [described(step) for step in one.converge(change_of(case["change"]))]
    assert "\n".join(steps) == expected
    assert steps == [described(step) for step in one.converge(change_of(case["change"]))]


REMOVALS = {
    ("nfs_export", "/tank/a b"): [
        "rm -f /etc/exports.d/phoenix-tank.a%20b.exports",
        "exportfs -ra [reload] (once)",
    ],
    ("pve_storage", "tank-iso"): [
        "pvesm remove tank-iso",
        "rm -f /var/lib/phoenix/made/pve_storage/tank-iso",
    ],
    ("samba_share", "media"): [
        "rm -f /etc/samba/phoenix.d/media.conf",
        "run /var/lib/phoenix/scripts/samba_share/include.sh (once)",
        RELOAD := "sh -c 'systemctl enable smbd && systemctl reload-or-restart smbd && "
        "rm -f /var/lib/phoenix/pending/smbd' [reload] (once)",
    ],
    ("samba_user", "heads"): ["smbpasswd -x heads", "rm -f /var/lib/phoenix/made/samba_user/heads"],
    ("zfs_arc", "pve"): ["rm -f /etc/modprobe.d/zz-phoenix-zfs_arc.conf", "update-initramfs -u -k all"],
    ("zfs_dataset", "tank/x"): ["zfs destroy tank/x destroys all data in the dataset tank/x"],
    ("zfs_dataset", "tank"): ["! present: `tank` is a pool's root dataset: it lives as long as its pool"],
    ("zfs_pool", "tank"): [
        "! present: pool `tank` is no longer declared; Phoenix never destroys or exports a pool"
    ],
}


@pytest.mark.parametrize(("kind", "name"), REMOVALS)
def test_removing_is_undoing_what_we_made_and_no_more(kind: str, name: str) -> None:
    assert [described(step) for step in registry.kind(kind).remove(name)] == REMOVALS[kind, name]


def test_every_kind_is_in_these_tables() -> None:
    assert {kind for kind, _ in REMOVALS} == set(KINDS)
    assert {what.partition(":")[0] for what in STEPS} == set(KINDS)


# --- relations --------------------------------------------------------------------------------------------

RELATIONS = [
    ("zfs_pool", "tank", {"vdevs": [{"type": "stripe", "disks": ["d1"]}]}, [], ["dataset tank"], []),
    ("zfs_dataset", "tank", {}, ["zfs_pool:tank"], ["dataset tank"], []),
    ("zfs_dataset", "tank/x", {}, ["zfs_pool:tank"], ["dataset tank/x", "path /tank/x"], []),
    (
        "zfs_dataset",
        "tank/x/y",
        {"mountpoint": "/srv", "owner": "heads", "group": "staff"},
        ["zfs_pool:tank", "zfs_dataset:tank/x"],
        ["dataset tank/x/y", "path /srv"],
        ["account heads exactly, if there", "account staff exactly, if there"],
    ),
    ("zfs_dataset", "tank/x", {"mountpoint": "none"}, ["zfs_pool:tank"], ["dataset tank/x"], []),
    ("nfs_export", "/tank/x", {"clients": {"a": []}}, [], [], ["path /tank/x"]),
    (
        "samba_share",
        "s",
        {"path": "/tank/x", "valid_users": ["heads", "@staff"]},
        ["samba_user:heads"],
        [],
        ["path /tank/x"],
    ),
    ("samba_user", "heads", {"password": Secret("samba/heads")}, [], ["account heads"], []),
    (
        "pve_storage",
        "s1",
        {"type": "zfspool", "pool": "tank/x", "content": ["images"]},
        [],
        [],
        ["dataset tank/x exactly"],
    ),
    ("pve_storage", "s1", {"type": "dir", "path": "/tank/x", "content": ["iso"]}, [], [], ["path /tank/x"]),
    (
        "pve_storage",
        "s1",
        {"type": "dir", "path": "/tank/x", "content": ["iso"], "is_mountpoint": True},
        [],
        [],
        ["path /tank/x exactly"],
    ),
    ("zfs_arc", "pve", {"max": "4G"}, [], [], []),
]


@pytest.mark.parametrize(("kind", "name", "settings", "needs", "offers", "wants"), RELATIONS)
def test_what_a_resource_needs_offers_and_wants(
    kind: str, name: str, settings: dict, needs: list[str], offers: list[str], wants: list[str]
) -> None:
    one = resource(kind, name, settings)
    assert list(one.needs()) == needs
    assert [f"{offer.topic} {offer.key}" for offer in one.provides()] == offers
    said = [
        f"{want.topic} {want.key}{' exactly' if want.exact else ''}{'' if want.required else ', if there'}"
        for want in one.consumes()
    ]
    assert said == wants


# --- never ------------------------------------------------------------------------------------------------


@cache
def every_resource() -> tuple[tuple[Ref, Kind], ...]:
    return tuple(_every_resource())


def _every_resource() -> Iterator[tuple[Ref, Kind]]:
    yield from load(REPOSITORY).resources.items()
    for kind in KINDS:
        for number, samples in enumerate(sample_sets(registry.kind(kind))):
            for which, settings in enumerate((samples.first, samples.second)):
                name = samples.name or f"host{number}{which}"
                yield Ref(f"host{number}{which}", kind, name), resource(kind, name, dict(settings))


def every_change(one: Kind) -> Iterator[Change]:
    """Creation, removal, and each attribute any table here knows, alone."""
    yield from (CREATE, REMOVE)
    attributes = KNOWN | set(type(one).model_fields) - {"name", "state"}
    for name in sorted(attributes):
        desired = getattr(one, "properties", {}).get(name, "wanted")
        yield Change({name: Difference("other", desired)})


def _attributes(text: str) -> list[str]:
    change = YAML(typ="safe", pure=True).load(text.replace("!secret", ""))["change"]
    return list(change) if isinstance(change, dict) else []


KNOWN = {name for text, _ in STEPS.values() for name in _attributes(text)}


@cache
def every_step() -> tuple[tuple[Ref, Step], ...]:
    return tuple(_every_step())


def _every_step() -> Iterator[tuple[Ref, Step]]:
    for ref, one in every_resource():
        for change in every_change(one):
            yield from ((ref, step) for step in one.converge(change) if isinstance(step, Step))
        yield from ((ref, step) for step in one.remove(ref.name) if isinstance(step, Step))


FORBIDDEN = re.compile(
    r"zpool\s+(add|attach|replace|destroy|import|export|labelclear|offline|detach|remove|split)\b"
    r"|zpool\s+create\b.*\s-f\b|zfs\s+(destroy|rollback|receive)\b.*\s-[a-zA-Z]*[rRfF]"
    r"|wipefs\s+.*(-a|--all)\b|mkfs|sgdisk|dd\s+.*of=|rm\s+-[a-z]*r|exportfs\s+.*-[a-z]*f"
)


def test_nothing_we_run_or_render_can_take_a_disk_or_a_pool() -> None:
    steps = [shlex.join(step.argv) for _, step in every_step()]
    files = [file.text for file in _rendered()]
    assert len(steps) > 100
    assert len(files) > 20
    assert [text for text in (*steps, *files) if FORBIDDEN.search(text)] == []


def test_only_what_says_that_it_destroys_destroys() -> None:
    destroying = {step.destroys for _, step in every_step() if " destroy " in shlex.join(step.argv)}
    assert "" not in destroying
    assert [step for _, step in every_step() if step.destroys and step.argv[:2] != ("zfs", "destroy")] == []


def test_every_step_does_exactly_one_thing() -> None:
    wrong = [
        step
        for _, step in every_step()
        if [bool(step.argv), step.push is not None, step.execute is not None].count(True) != 1
    ]
    assert wrong == []


def test_arguments_are_words_and_secrets_are_on_no_command_line() -> None:
    for _, step in every_step():
        assert all(type(word) is str for word in step.argv)
        assert "<secret" not in shlex.join(step.argv)
        assert step.stdin is None or step.stdin.has_secret


def test_titles_are_the_commands_or_name_them() -> None:
    for _, step in every_step():
        assert step.title
        if step.argv and step.argv[0] != "sh":
            assert step.title == shlex.join(step.argv)


@cache
def _rendered():
    return render(every_resource(), Renderer())


def test_scripts_are_posix_sh_stop_at_errors_and_name_their_resource() -> None:
    for file in _rendered():
        if file.path.endswith(".sh"):
            first, second, third = file.text.splitlines()[:3]
            assert (first, third, file.mode) == ("#!/bin/sh", "set -eu", 0o700), file.path
            assert second.startswith(f"# {file.kind}"), file.path
        else:
            assert file.text.splitlines()[0].startswith("# Written by phoenix: " + file.kind), file.path
        assert file.text.endswith("\n")
        assert not re.search(r"[ \t]+$", file.text, re.MULTILINE), file.path


def test_scripts_have_no_syntax_error(tmp_path: Path) -> None:
    from phoenix_hypervisor.process import run

    scripts = [file for file in _rendered() if file.path.endswith(".sh")]
    for number, file in enumerate(scripts):
        (tmp_path / f"{number}.sh").write_text(file.text)
    check = run(["sh", "-c", f'for f in {tmp_path}/*.sh; do sh -n "$f" || echo "$f"; done'])
    assert (check.stdout, check.stderr) == (b"", b"")


def test_samples_are_declarations_that_hold() -> None:
    for kind in KINDS:
        for samples in sample_sets(registry.kind(kind)):
            one, two = (
                resource(kind, samples.name or "host", dict(part)) for part in (samples.first, samples.second)
            )
            assert one != two
            assert one.present


def test_different_datasets_have_different_scripts() -> None:
    names = ["tank/a.b", "tank/a/b", "tank/a-b", "tank/a%2Eb"]
    paths = {next(iter(resource("zfs_dataset", name, {}).artifacts())).path for name in names[:3]}
    assert len(paths) == 3


def test_an_option_that_is_a_number_stays_one_in_the_file() -> None:
    share = resource(
        "samba_share", "s", {"path": "/x", "options": {"max connections": "1", "strict  sync": "1"}}
    )
    artifact = next(iter(share.artifacts()))
    text = Renderer().text("samba_share", artifact, share)
    assert text.splitlines()[-2:] == ["    max connections = 1", "    strict sync = 1"]
    assert share.parameters["strict sync"] == "yes"
