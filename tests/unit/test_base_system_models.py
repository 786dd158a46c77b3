"""What can be declared of a host's base system, and what is refused with a reason."""

from typing import Any

import pytest
from pydantic import ValidationError
from tests.unit.site_files import NODE, problems

from phoenix_hypervisor import registry
from phoenix_hypervisor.kinds.apt_repository import SAMPLE_FINGERPRINT, SAMPLE_KEY
from phoenix_hypervisor.resource import Kind

REPOSITORY = {"uris": ["http://a"], "suites": ["s"], "components": ["main"]}
THEIRS = "/etc/apt/sources.list.d/x.list"


def model(kind: str, name: str, settings: dict[str, Any]) -> Kind:
    return registry.kind(kind).model_validate({**settings, "name": name})


REFUSED = [
    ("apt_repository", "x", {}, "needs either `uris` and `suites`, or the `file` of somebody else's"),
    ("apt_repository", "x", {**REPOSITORY, "file": THEIRS}, "needs either"),
    ("apt_repository", "x", {"file": THEIRS}, "is only switched off: `enabled: false`"),
    ("apt_repository", "x", {"uris": ["http://a"]}, "needs `uris` and `suites`"),
    ("apt_repository", "x", {"uris": ["http://a"], "suites": ["s"]}, "needs `components`"),
    ("apt_repository", "x", {**REPOSITORY, "uris": ["ftp://a"]}, "uris"),
    ("apt_repository", "x", {**REPOSITORY, "suites": ["a b"]}, "must be one word"),
    ("apt_repository", "x", {**REPOSITORY, "suites": ["a\nEnabled: no"]}, "must be one word"),
    (
        "apt_repository",
        "x",
        {"file": "/etc/apt/apt.conf", "enabled": False},
        "must be a `.list` or `.sources`",
    ),
    ("apt_repository", "x", {"file": "/etc/x.list", "enabled": False}, "must be a `.list` or `.sources`"),
    (
        "apt_repository",
        "x",
        {"file": "/etc/apt/sources.list.d/phoenix-y.sources", "enabled": False},
        "is a file of ours",
    ),
    ("apt_repository", "x", {**REPOSITORY, "signed_by": {}}, "needs one of `keyring` and `key`"),
    ("apt_repository", "x", {**REPOSITORY, "signed_by": {"key": "words"}}, "is not a PGP public key block"),
    (
        "apt_repository",
        "x",
        {**REPOSITORY, "signed_by": {"key": SAMPLE_KEY, "fingerprint": "AB CD"}},
        "the key's fingerprint is 421B0AA1",
    ),
    (
        "apt_repository",
        "x",
        {**REPOSITORY, "signed_by": {"keyring": "/k.gpg", "fingerprint": "AB"}},
        "`sha256` belongs to a `keyring`",
    ),
    ("apt_package", "-y", {}, "name"),
    ("apt_package", "jq", {"version": "1.6; true"}, "version"),
    ("apt_package", "jq", {"version": "1.6*"}, "version"),
    ("timezone", "h", {"zone": "../../etc/passwd"}, "zone"),
    ("ntp", "h", {}, "needs `servers` or `pools`"),
    ("ntp", "h", {"pools": ["p"], "service": "systemd-timesyncd"}, "knows no `pools`"),
    ("ntp", "h", {"servers": ["a iburst"]}, "servers"),
    ("hostname", "h", {"domain": "example.org"}, "declare it as well"),
    ("hostname", "h", {"address": "10.0.0.300"}, "does not appear to be an IPv4 or IPv6 address"),
    ("hosts_entry", "2001:DB8::1", {"names": ["a"]}, "is written `2001:db8::1`"),
    ("hosts_entry", "nas", {"names": ["a"]}, "does not appear to be an IPv4 or IPv6 address"),
    ("hosts_entry", "10.0.0.1", {"names": []}, "names"),
    ("hosts_entry", "10.0.0.1", {"names": ["a b"]}, "names"),
    ("sysctl", "vm.swappiness", {"value": True}, "value"),
    ("sysctl", "vm.swappiness", {"value": "1\nvm.dirty_ratio = 1"}, "value"),
    ("sysctl", "swappiness", {"value": 1}, "name"),
    ("kernel_module", "vfio-pci", {}, "name"),
    ("kernel_module", "kvm", {"options": {"x": "1 install kvm /bin/true"}}, "options"),
    ("logrotate", "x", {"paths": ["/var/log/a b"]}, "paths"),
    ("logrotate", "x", {"paths": ["/var/log/a"], "postrotate": "x\nendscript\ny"}, "must not hold a line"),
    ("logrotate", "x", {"paths": ["/var/log/a"], "create": "rw root adm"}, "create"),
]


@pytest.mark.parametrize(("kind", "name", "settings", "reason"), REFUSED)
def test_what_would_do_harm_or_nothing_is_refused(
    kind: str, name: str, settings: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ValidationError) as refused:
        model(kind, name, settings)
    assert reason in str(refused.value)


def test_an_address_in_brackets_is_read_in_quotes_and_otherwise_explained(tmp_path) -> None:
    """libyaml does not take a plain URL inside brackets; nobody would guess that from its message."""
    section = "apt_repository:\n  x: {{uris: [{0}], suites: [s/]}}\n"
    said = problems(tmp_path / "plain", {NODE: section.format("http://a/b")})
    assert said == (
        "configs/nodes/pve.yaml:2:18: not readable as YAML: "
        "while scanning a plain scalar, found unexpected ':'\n"
        "  hint: inside brackets, put what has a colon in it in quotes: an address, a URL"
    )
    assert problems(tmp_path / "quoted", {NODE: section.format('"http://a/b"')}) == ""


def test_a_keyring_may_be_given_by_its_path_alone() -> None:
    short = model("apt_repository", "x", {**REPOSITORY, "signed_by": "/k.gpg"})
    assert short == model("apt_repository", "x", {**REPOSITORY, "signed_by": {"keyring": "/k.gpg"}})
    assert "Signed-By: /k.gpg\n" in short.stanza


def test_a_key_stands_in_the_file_itself_line_by_line() -> None:
    key = {"key": SAMPLE_KEY, "fingerprint": SAMPLE_FINGERPRINT.lower()}
    lines = model("apt_repository", "x", {**REPOSITORY, "signed_by": key}).stanza.splitlines()
    start = lines.index("Signed-By:")
    assert lines[start + 1 : start + 3] == [" -----BEGIN PGP PUBLIC KEY BLOCK-----", " ."]
    assert lines[-1] == " -----END PGP PUBLIC KEY BLOCK-----"


def test_values_have_one_spelling() -> None:
    assert model("sysctl", "net.ipv4.tcp_rmem", {"value": "4096\t1 \t 2"}).value == "4096 1 2"
    assert model("sysctl", "vm.swappiness", {"value": 10}).value == "10"
    assert model("kernel_module", "kvm", {"options": {"a": True, "b": 0}}).line == "a=Y b=0"
    assert model("logrotate", "x", {"paths": ["/x"], "maxsize": "1M"}).directives["maxsize"] == "1048576"


def test_a_host_is_called_what_the_files_call_it() -> None:
    assert model("hostname", "desk", {}).full == "desk"
    assert model("hostname", "desk", {"static": "d", "domain": "lan", "address": "10.0.0.1"}).full == "d.lan"


def test_the_same_line_for_two_addresses_has_two_scripts_and_two_notes() -> None:
    one, two = (model("hosts_entry", name, {"names": ["a"]}) for name in ("::1", "1::"))
    assert one.note != two.note
    assert {a.path for a in one.artifacts()} & {a.path for a in two.artifacts()} == {
        "/var/lib/phoenix/scripts/hosts_entry/remove.sh"
    }
