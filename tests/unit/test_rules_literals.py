"""The rule that secrets are references (V-40): what it finds, what it leaves alone, what it never says."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.site_files import NODE, loaded, problems

from phoenix_hypervisor.config.literals import assigned

FILE = "host_file:\n  /etc/app.conf:\n    content: |\n      {}\n"
HINT = (
    "\n  hint: `!secret NAME`, and `phoenix secrets set NAME`; what stood here was read: change it. If it is "
    "none: `allow: {literals: [KIND:NAME]}` in configs/site.yaml"
)
TEXT = "host_file:/etc/app.conf: this text gives a password, token or key its value in plain text [V-40]"
PLAIN = "host_file:/etc/app.conf: a secret stands here in plain text [V-40]"
VALUE = "Tr0ub4dor"
"""What no message may repeat."""


@pytest.mark.parametrize(
    "line",
    [
        f"password = {VALUE}",
        f"POSTGRES_PASSWORD={VALUE}",
        f'export API_TOKEN="{VALUE}"',
        f"  client_secret: {VALUE}",
        f'Environment="N8N_API_KEY={VALUE}"',
        f'  "access-key": "{VALUE}",',
    ],
)
def test_a_text_that_gives_a_secret_its_value_is_refused_without_repeating_it(
    tmp_path: Path, line: str
) -> None:
    found = problems(tmp_path, {NODE: FILE.format(line)})
    assert found == f"{NODE}:3:14: {TEXT}{HINT}"
    assert VALUE not in found


@pytest.mark.parametrize(
    "line",
    [
        "-----BEGIN OPENSSH {} KEY-----".format("PRIVATE"),
        "hf_abcdefghijklmnopqr",
        "postgres://app:hunter2hunter2@db/app",
        "AGE-SECRET-{}-1QQQQQQQQQQQQQQQQ".format("KEY"),
    ],
)
def test_what_looks_like_a_secret_is_refused_wherever_it_stands(tmp_path: Path, line: str) -> None:
    assert problems(tmp_path, {NODE: FILE.format(line)}) == f"{NODE}:3:14: {PLAIN}{HINT}"


def test_a_value_under_a_telling_name_is_refused_and_a_reference_is_not(tmp_path: Path) -> None:
    text = "host_file:\n  /etc/app.conf:\n    content: a=@DB_PASSWORD@\n    values:\n      DB_PASSWORD: {}\n"
    assert problems(tmp_path, {NODE: text.format(VALUE)}) == f"{NODE}:5:20: {PLAIN}{HINT}"
    assert problems(tmp_path, {NODE: text.format("!secret db")}) == ""


@pytest.mark.parametrize(
    "line",
    [
        "password = @PASSWORD@",
        "password=$PASSWORD",
        "api_key: ${KEY}",
        "token: <your token>",
        "password_file = /run/secrets/app",
        "token: /run/secrets/token",
        "PasswordAuthentication no",
        "use_token = true",
        "max_tokens: 4096",
        "# the password is in the store",
        "secret: !secret app/key",
    ],
)
def test_placeholders_paths_and_switches_are_no_secrets(tmp_path: Path, line: str) -> None:
    assert problems(tmp_path, {NODE: FILE.format(line)}) == ""


def test_what_is_said_to_be_none_is_left_alone(tmp_path: Path) -> None:
    files = {NODE: FILE.format(f"password = {VALUE}")}
    head = "name: test\nallow: {literals: ['host_file:/etc/app.conf']}\n"
    assert loaded(tmp_path, {**files, "configs/site.yaml": head})


def test_what_stands_in_a_profile_is_said_once(tmp_path: Path) -> None:
    files = {
        NODE: "profiles: [app]\n",
        "configs/profiles/app.yaml": FILE.format(f"password = {VALUE}"),
    }
    assert problems(tmp_path, files).count("[V-40]") == 1


@given(st.text())
def test_no_text_is_too_strange_to_be_looked_at(text: str) -> None:
    assert all(0 <= line <= text.count("\n") for line in assigned(text))
