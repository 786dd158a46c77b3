"""What an inspection makes of guests: those that run, rest, are missing; notices; the actual as a whole."""

from pathlib import Path

import pytest
from tests.unit.site_files import HOSTS, NODE
from tests.unit.test_inspect import Trial

from phoenix_hypervisor.errors import GuestDownError, HostError
from phoenix_hypervisor.inspect.looks import Status
from phoenix_hypervisor.resource import CREATE, Ref
from phoenix_hypervisor.transport import Answer

LAYER, LAYER_SEAL = Ref("pve", "lxc", "900"), Ref("pve", "lxc_layer", "900")
WEB, FILE = Ref("pve", "lxc", "950"), Ref("web", "host_file", "/etc/x")
LAYER_FILE = Ref("base", "host_file", "/etc/x")
FILES = {
    NODE: "{}\n",
    HOSTS: "pve: {}\n",
    "configs/guests/900-base.yaml": "lxc: {}\nlxc_layer: {mode: snapshot}\n"
    "host_file: {/etc/x: {content: x}}\n",
    "configs/guests/950-web.yaml": "lxc: {clone: base}\nhost_file: {/etc/x: {content: x}}\n",
}
CHECKS = {
    "lxc": "def test_present(host, lxc):\n"
    "    assert (host.run(f'is {lxc.name}').rc == 0) == lxc.present\n\n\n"
    "def test_power(host, lxc):\n"
    "    assert host.run(f'power {lxc.name}').stdout == 'right'\n\n\n"
    "@pytest.mark.notice\n"
    "def test_stale(host, lxc):\n"
    '    """It was made from another one."""\n'
    "    assert {'made': host.run(f'from {lxc.name}').stdout} == {'made': 'new'}\n\n\n"
    "def seen(host, lxc):\n"
    "    return host.run_expect([0], f'seen {lxc.name}').stdout\n",
    "lxc_layer": "def test_present(host, lxc_layer):\n"
    "    assert (host.run(f'sealed {lxc_layer.name}').rc == 0) == lxc_layer.present\n",
    "host_file": "def test_present(host, host_file):\n"
    "    assert (host.run('file').rc == 0) == host_file.present\n\n\n"
    "def test_content(host, host_file):\n    assert host.run('content').stdout == 'x'\n",
}
YES, NO = Answer(0, b"", b""), Answer(1, b"", b"")
RIGHT = {
    **{f"{verb} {vmid}": YES for verb in ("is", "sealed") for vmid in ("900", "950")},
    **{f"power {vmid}": "right" for vmid in ("900", "950")},
    **{f"from {vmid}": "new" for vmid in ("900", "950")},
    "seen 900": "S900",
    "seen 950": "S950",
    "file": YES,
    "content": "x",
    **{f"base: {asked}": GuestDownError("guest `base` does not run") for asked in ("file", "content")},
}


def trial(folder: Path, **answers: Answer | str | Exception) -> Trial:
    """An inspection of both guests; answers whose names have `_` for a blank take the place of right ones."""
    other = {name.replace("__", ": ").replace("_", " "): answer for name, answer in answers.items()}
    return Trial(folder, CHECKS, {**RIGHT, **other}, FILES)


def statuses(looked: Trial) -> dict[Ref, Status]:
    return {ref: look.status for ref, look in looked.looks.items()}


def test_a_layer_that_rests_is_right_with_all_that_is_inside(tmp_path: Path) -> None:
    looked = trial(tmp_path)
    assert set(statuses(looked).values()) == {Status.OK}
    assert [f.verdict.value for f in looked.seen.findings if f.ref == LAYER_FILE] == ["skipped"] * 2


def test_a_guest_that_should_run_and_cannot_be_asked_is_unknown(tmp_path: Path) -> None:
    down = GuestDownError("guest `web` does not run")
    looked = trial(tmp_path, web__file=down, web__content=down)
    assert statuses(looked)[FILE] is Status.UNKNOWN
    assert statuses(looked)[WEB] is Status.OK


def test_what_is_inside_a_missing_guest_is_planned_as_if_all_were_missing(tmp_path: Path) -> None:
    down = GuestDownError("guest `web` does not run")
    looked = trial(tmp_path, is_950=NO, web__file=down, web__content=down)
    look = looked.looks[FILE]
    assert (look.status, look.blocked_by, look.change) == (Status.BLOCKED, WEB, CREATE)


def test_a_guest_that_cannot_be_entered_is_unknown_not_drifted(tmp_path: Path) -> None:
    broken = HostError("guest `web` cannot be entered: no such namespace")
    looked = trial(tmp_path, web__file=broken)
    assert statuses(looked)[FILE] is Status.UNKNOWN


def test_a_notice_is_told_and_is_no_drift(tmp_path: Path) -> None:
    looked = trial(tmp_path, from_950="old")
    look = looked.looks[WEB]
    assert (look.status, look.notices) == (
        Status.OK,
        ("it was made from another one (made: old, now new)",),
    )
    assert statuses(looked)[FILE] is Status.OK


def test_what_is_seen_of_what_differs_reaches_its_kind_and_is_not_compared(tmp_path: Path) -> None:
    looked = trial(tmp_path, power_950="wrong")
    change = looked.looks[WEB].change
    assert (change.seen, change["power"].actual) == ("S950", "wrong")
    assert looked.looks[LAYER].change.seen is None


def test_what_cannot_be_seen_is_unknown(tmp_path: Path) -> None:
    looked = trial(tmp_path, power_950="wrong", seen_950=NO)
    assert statuses(looked)[WEB] is Status.UNKNOWN
    assert "its state cannot be read" in looked.looks[WEB].reasons[0]


@pytest.mark.parametrize(("there", "status"), [(YES, Status.OK), (NO, Status.BLOCKED)])
def test_what_is_needed_only_to_make_it_blocks_nothing_that_is_there(
    tmp_path: Path, there: Answer, status: Status
) -> None:
    looked = trial(tmp_path, sealed_900=NO, is_950=there)
    assert (statuses(looked)[LAYER_SEAL], statuses(looked)[WEB]) == (Status.DRIFT, status)
