"""What a host makes and we keep: it goes from its answer into the store, and nobody is shown it."""

import pytest

from phoenix_hypervisor.converge.steps import acts, carry_out
from phoenix_hypervisor.errors import SecretError
from phoenix_hypervisor.resource import Confirm, Ref, Step, script
from phoenix_hypervisor.secrets import Secret
from phoenix_hypervisor.secretstore import open_store
from phoenix_hypervisor.secretstore.settings import SecretSettings
from phoenix_hypervisor.transport import Answer

REF = Ref("pve", "pve_token", "root@pam!ci")
CANARY = b"canary-71aa"


class Memory:
    """A store of one secret, open or not."""

    def __init__(self, *, shut: str = "") -> None:
        self.kept: dict[str, bytes] = {}
        self._shut = shut

    def value(self, name: str) -> bytes:
        return self.kept[name]

    def has(self, name: str) -> bool:
        return name in self.kept

    def check_writable(self, name: str) -> None:
        if self._shut:
            raise SecretError(f"{name}: {self._shut}")

    def set(self, name: str, value: bytes) -> bool:
        self.check_writable(name)
        self.kept[name] = value
        return True


def ran(store, *answers, **how):
    step = Step("make it", argv=("make",), keeps=Secret("api/token", store), **how)
    said = iter(answers)
    return carry_out(lambda _: next(said), REF, step, "")


def test_what_is_printed_is_kept_and_not_said():
    store = Memory()
    done = ran(store, Answer(0, CANARY + b"\n", b"made it"))
    assert (store.kept, done.status, done.said, done.failure) == ({"api/token": CANARY}, 0, "", "")
    assert CANARY.decode() not in repr(done)


def test_only_the_step_itself_prints_the_value_not_what_is_around_it():
    store = Memory()
    confirm = Confirm(("arm",), ("disarm",))
    ran(store, Answer(0, b"armed", b""), Answer(0, CANARY, b""), Answer(0, b"fine", b""), confirm=confirm)
    assert store.kept == {"api/token": CANARY}
    step = Step("x", execute=script("k", "s", "t"), keeps=Secret("api/token", store))
    assert [act.keeps for act in acts(step, "text")] == [None, step.keeps]


def test_of_a_step_that_failed_nothing_is_kept_and_only_its_complaint_is_said():
    store = Memory()
    done = ran(store, Answer(1, CANARY, b"no such user"))
    assert (store.kept, done.failure) == ({}, "`make it` ended with 1: no such user")


def test_a_store_that_does_not_take_it_is_a_failure_that_shows_nothing():
    done = ran(Memory(shut="it lives elsewhere"), Answer(0, CANARY, b""))
    assert "api/token: it lives elsewhere; the host has the value" in done.failure
    assert CANARY.decode() not in repr(done)


def test_an_empty_value_is_not_kept(tmp_path):
    (tmp_path / "configs").mkdir()
    store = open_store(SecretSettings(), tmp_path)
    done = ran(store, Answer(0, b"\n", b""))
    assert done.status == 1
    assert not (tmp_path / "configs/secrets.age").exists()


def test_a_secret_knows_whether_it_has_a_value_and_can_get_one():
    store = Memory()
    secret = Secret("api/token", store)
    assert (secret.known(), secret.closed()) == (False, None)
    secret.keep(CANARY)
    assert (secret.known(), store.kept) == (True, {"api/token": CANARY})
    shut = Secret("api/token", Memory(shut="it lives elsewhere")).closed()
    assert shut is not None
    assert shut.message == "api/token: it lives elsewhere"


@pytest.mark.parametrize("act", [Secret.known, Secret.reveal, lambda secret: secret.keep(CANARY)])
def test_offline_there_is_nothing_to_ask_and_nowhere_to_keep(act):
    with pytest.raises(SecretError, match="no store is open") as refused:
        act(Secret("api/token"))
    assert CANARY.decode() not in str(refused.value)


def test_a_site_s_store_has_what_is_in_its_file_or_comes_from_elsewhere(tmp_path):
    (tmp_path / "configs").mkdir()
    settings = SecretSettings.model_validate({"sources": {"api/token": {"env": "PHOENIX_NO_SUCH_VARIABLE"}}})
    store = open_store(settings, tmp_path)
    assert (store.has("api/token"), store.has("other")) == (True, False)
    with pytest.raises(SecretError, match="does not live in"):
        store.check_writable("api/token")
