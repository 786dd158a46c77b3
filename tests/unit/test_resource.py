"""The values a kind is made of."""

import pytest

from phoenix_hypervisor.resource import (
    CREATE,
    NO_CHANGE,
    REMOVE,
    Artifact,
    Change,
    Difference,
    Effect,
    Kind,
    Ref,
    Step,
    made,
    reload,
    run,
    script,
)
from phoenix_hypervisor.secrets import Secret, Text


def test_a_reference_is_kind_and_name_in_full_with_its_host() -> None:
    ref = Ref("pve", "nfs_export", "/tank/x:y")
    assert (str(ref), ref.full) == ("nfs_export:/tank/x:y", "pve/nfs_export:/tank/x:y")


@pytest.mark.parametrize(
    ("change", "creates", "removes", "something"),
    [
        (NO_CHANGE, False, False, False),
        (CREATE, True, False, True),
        (REMOVE, False, True, True),
        (Change({"mode": Difference("755", "750")}), False, False, True),
        (Change({"present": Difference(None, {})}), False, False, True),
        (Change({"present": Difference(True, True)}), False, False, True),
    ],
)
def test_a_change_says_whether_it_creates_or_removes(
    change: Change, creates: bool, removes: bool, something: bool
) -> None:
    assert (change.creates, change.removes, bool(change)) == (creates, removes, something)


def test_a_change_gives_its_differences_by_attribute() -> None:
    change = Change({"mode": Difference("755", "750")})
    assert ("mode" in change, "owner" in change) == (True, False)
    assert change["mode"] == Difference("755", "750", "==")


def test_a_program_is_shown_as_one_would_type_it() -> None:
    step = run("zfs", "set", "comment=a b", "tank")
    assert step == Step("zfs set 'comment=a b' tank", argv=("zfs", "set", "comment=a b", "tank"))
    assert (step.effect, step.destroys, step.once, step.stdin) == (Effect.HOT, "", False, None)


def test_steps_with_secrets_show_their_names() -> None:
    step = run("smbpasswd", "-s", "heads", stdin=Text(Secret("samba/heads"), "\n"))
    assert "<secret samba/heads>" in repr(step)
    assert str(step.stdin) == "<secret samba/heads>\n"


def test_a_reload_notes_that_it_was_done_and_runs_once() -> None:
    step = reload("smbd")
    assert step.title == "systemctl reload-or-restart smbd"
    assert (step.effect, step.once) == (Effect.RELOAD, True)
    assert step.argv[-1].endswith("&& rm -f /var/lib/phoenix/pending/smbd")
    assert reload("smbd") == step


def test_effects_are_ordered_and_said_in_words() -> None:
    assert max(Effect) is Effect.REBOOT
    assert [str(effect) for effect in Effect] == ["hot", "reload", "restart", "reboot"]


def test_our_own_files_on_a_node_lie_in_one_place() -> None:
    assert made("samba_user", "heads") == "/var/lib/phoenix/made/samba_user/heads"
    assert script("zfs_pool", "tank", "create.sh.j2") == Artifact(
        "/var/lib/phoenix/scripts/zfs_pool/tank.sh", "create.sh.j2", 0o700, script=True
    )


def test_a_kind_that_says_nothing_needs_and_makes_nothing() -> None:
    class Nothing(Kind):
        pass

    nothing = Nothing(name="x")
    asked = (nothing.needs, nothing.provides, nothing.consumes, nothing.artifacts)
    assert [list(ask()) for ask in asked] == [[]] * 4
    assert list(nothing.heal("test_mounts")) == []
    assert (nothing.present, Nothing(name="x", state="absent").present) == (True, False)
    for missing in (lambda: nothing.converge(CREATE), lambda: Nothing.remove("x"), Nothing.samples):
        with pytest.raises(NotImplementedError):
            missing()
