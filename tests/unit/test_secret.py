"""Whatever one does with a Secret or a Text, its value does not come out."""

import copy
import json
import logging
import pickle
import pprint
import sys
import traceback
from hashlib import sha256
from pathlib import Path

import jinja2
import pytest
from pydantic import BaseModel, ConfigDict, ValidationError

import phoenix_hypervisor.secrets
from phoenix_hypervisor.errors import SecretError
from phoenix_hypervisor.process import run
from phoenix_hypervisor.secrets import RUN_KEY, Secret, Text

CANARY = "canary-7f3d"


class Kept:
    def value(self, name: str) -> bytes:
        return CANARY.encode()


class Account(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
    password: Secret


@pytest.fixture
def secret() -> Secret:
    return Secret("samba/heads", Kept())


SHOWN = {
    "str": str,
    "repr": repr,
    "format": format,
    "f-string": lambda secret: f"{secret}",
    "f-string with !r": lambda secret: f"{secret!r}",
    "percent": lambda secret: "%s" % secret,  # noqa: UP031
    "percent r": lambda secret: "%r" % secret,  # noqa: UP031
    "str.format": "{}".format,
    "json with default": lambda secret: json.loads(json.dumps(secret, default=str)),
    "pydantic dump": lambda secret: Account(password=secret).model_dump()["password"],
    "pydantic json": lambda secret: json.loads(Account(password=secret).model_dump_json())["password"],
    "jinja": lambda secret: jinja2.Template("{{ secret }}").render(secret=secret),
    "jinja string filter": lambda secret: jinja2.Template("{{ secret | string }}").render(secret=secret),
    "jinja format filter": lambda secret: jinja2.Template("{{ '%s' | format(secret) }}").render(
        secret=secret
    ),
    "jinja join": lambda secret: jinja2.Template("{{ [secret] | join(',') }}").render(secret=secret),
    "pprint": pprint.pformat,
    "exception": lambda secret: str(ValueError(secret)),
    "log record": lambda secret: logging.makeLogRecord({"msg": "%s", "args": (secret,)}).getMessage(),
}


@pytest.mark.parametrize("way", SHOWN)
def test_every_way_to_text_shows_the_name(secret: Secret, way: str) -> None:
    assert SHOWN[way](secret) == "<secret samba/heads>"


@pytest.mark.parametrize("way", SHOWN)
def test_a_text_with_a_secret_shows_the_name(secret: Secret, way: str) -> None:
    if way.startswith("pydantic"):
        with pytest.raises(ValidationError):
            SHOWN[way](Text("password=", secret))
        return
    assert SHOWN[way](Text("password=", secret)) in (
        "password=<secret samba/heads>",
        "Text('password=<secret samba/heads>')",
    )


def test_format_pads_the_name(secret: Secret) -> None:
    assert f"{secret:>24}" == "    <secret samba/heads>"


REFUSED = {
    "join": lambda secret: "".join([secret]),
    "concatenation": lambda secret: "password=" + secret,
    "multiplication": lambda secret: secret * 2,
    "iteration": list,
    "length": len,
    "bytes": bytes,
    "number": lambda secret: "%d" % secret,  # noqa: UP031
    "json": json.dumps,
    "pickle": pickle.dumps,
    "pickle of a text": lambda secret: pickle.dumps(Text(secret)),
    "vars": vars,
}


@pytest.mark.parametrize("way", REFUSED)
def test_what_cannot_be_done_fails_without_the_value(secret: Secret, way: str) -> None:
    with pytest.raises(TypeError) as caught:
        REFUSED[way](secret)
    assert CANARY not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("way", [copy.copy, copy.deepcopy])
def test_a_copy_shows_no_value_either(secret: Secret, way: object) -> None:
    try:
        shown = repr(way([secret]))
    except TypeError as error:
        shown = str(error)
    assert "<secret samba/heads>" in shown
    assert CANARY not in shown


def test_logging_shows_the_name(secret: Secret, caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("phoenix").warning("sends %s as %r", Text("p=", secret), secret)
    assert caplog.messages == ["sends p=<secret samba/heads> as <secret samba/heads>"]


def test_a_traceback_through_reveal_shows_no_value(secret: Secret) -> None:
    def fails(value: bytes) -> str:
        raise ValueError("the form is wrong")

    with pytest.raises(ValueError, match=r"^the form is wrong$") as caught:
        secret.keyed_digest(fails)
    assert CANARY not in "".join(traceback.format_exception(caught.value))


def test_only_reveal_tells(secret: Secret) -> None:
    assert secret.reveal() == CANARY.encode()
    assert Text("p=", secret, "\nq=ü").reveal() == f"p={CANARY}\nq=ü".encode()


def test_a_secret_of_a_site_loaded_for_review_has_no_value() -> None:
    with pytest.raises(SecretError) as caught:
        Text(Secret("samba/heads")).reveal()
    assert str(caught.value) == "secret `samba/heads` was asked for while no store is open"


def test_a_template_cannot_reveal_what_was_loaded_for_review() -> None:
    with pytest.raises(SecretError):
        jinja2.Template("{{ secret.reveal() }}").render(secret=Secret("samba/heads"))


def test_a_digest_is_over_the_key_of_this_run_and_the_form_of_the_value(secret: Secret) -> None:
    expected = sha256(f"{RUN_KEY}:{CANARY.upper()}".encode()).hexdigest()
    assert secret.keyed_digest(lambda value: value.decode().upper()) == expected


def test_the_digest_of_a_text_is_over_the_key_and_every_part(secret: Secret) -> None:
    expected = sha256(f"{RUN_KEY}:before {CANARY} after".encode()).hexdigest()
    assert Text("before ", secret, " after").keyed_digest() == expected
    assert Text(f"before {CANARY}", " after").keyed_digest() == expected


def test_the_key_is_drawn_anew_for_each_run() -> None:
    ask = [sys.executable, "-c", "from phoenix_hypervisor import secrets; print(secrets.RUN_KEY)"]
    env = {"PYTHONPATH": str(Path(phoenix_hypervisor.secrets.__file__).parent.parent)}
    keys = {run(ask, env=env).stdout.strip().decode() for _ in range(2)} | {RUN_KEY}
    assert len(keys) == 3
    assert {len(key) for key in keys} == {32}


def test_secrets_are_equal_by_name() -> None:
    assert Secret("a", Kept()) == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "<secret a>"
    assert len({Secret("a"), Secret("a", Kept()), Secret("b")}) == 2


def test_texts_are_equal_by_their_parts() -> None:
    assert Text("x", Secret("a")) == Text("x", Secret("a"))
    assert Text("x") != "x"
    assert len({Text("x", Secret("a")), Text("x", Secret("a")), Text("x")}) == 2


def test_a_text_knows_whether_it_holds_a_secret() -> None:
    assert Text("x", Secret("a")).has_secret
    assert not Text("x", "<secret a>").has_secret


def test_a_field_takes_a_reference(secret: Secret) -> None:
    assert Account(password=secret).password is secret
    assert repr(Account(password=secret)) == "Account(password=<secret samba/heads>)"


@pytest.mark.parametrize("literal", [CANARY, CANARY.encode(), {"value": CANARY}, [CANARY]])
def test_a_literal_is_refused_and_not_shown(literal: object) -> None:
    with pytest.raises(ValidationError) as caught:
        Account.model_validate({"password": literal})
    error = caught.value
    assert [found["msg"] for found in error.errors()] == [
        "a secret must be a reference, never a value: write `!secret NAME`"
    ]
    shown = [
        str(error),
        repr(error),
        "".join(traceback.format_exception(error)),
        error.json(include_input=False),
        repr(error.errors(include_input=False)),
    ]
    assert [text for text in shown if CANARY in text] == []


def test_a_secret_in_the_wrong_place_shows_its_name(secret: Secret) -> None:
    class Share(BaseModel):
        path: str

    with pytest.raises(ValidationError) as caught:
        Share.model_validate({"path": secret})
    assert "input_value=<secret samba/heads>" in str(caught.value)
    assert CANARY not in repr(caught.value.errors())
