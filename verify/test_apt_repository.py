"""Package repositories: in our file as declared, or switched off in somebody else's."""

import shlex

import pytest

from phoenix_hypervisor.dialects import deb822
from phoenix_hypervisor.resource import made

FILES = "grep -sH '' /etc/apt/sources.list /etc/apt/sources.list.d/*"
NOTES = f"grep -sH '^/' {made('apt_repository', '*')} || :"
QUESTION = f"{FILES}; status=$?; printf '\\036'; {NOTES}; exit $status"
"""Both at once: who is asked what is ours needs both."""
FIELDS = ("Enabled", "Types", "URIs", "Suites", "Components", "Architectures", "Signed-By")
OURS = "/etc/apt/sources.list.d/phoenix-"


def test_present(host, apt_repository):
    noted = apt_repository.name in _noted(host)
    if apt_repository.file is None:
        found = apt_repository.path in _named(host)
    else:
        found = noted or (apt_repository.present and not _enabled(host, apt_repository.file))
    assert found == apt_repository.present


def test_fields(host, apt_repository):
    """What our file says; of somebody else's, whether what it names is switched off."""
    if apt_repository.file is None:
        stanza = deb822.stanzas(_text(host, apt_repository.path))[0]
        actual = {name: stanza.get(name, "") for name in FIELDS}
        desired = apt_repository.fields
    else:
        actual = {"enabled": _enabled(host, apt_repository.file)}
        desired = {"enabled": []}
    assert actual == desired


def test_one_stanza(host, apt_repository):
    """Our file holds nothing besides; a repository of somebody else's has no file of ours."""
    count = len(deb822.stanzas(_text(host, apt_repository.path)))
    assert {"ours": count} == {"ours": 1 if apt_repository.file is None else 0}


def test_file(host, apt_repository):
    """Nothing is switched off any more that was declared earlier."""
    noted = _noted(host).get(apt_repository.name, "")
    declared = apt_repository.file or ""
    assert {"file": noted or declared} == {"file": declared}


@pytest.mark.precondition
def test_keyring_is_the_declared_one(host, apt_repository):
    assert {"keyring": _keyring(host, apt_repository)} == {"keyring": _declared(apt_repository)}


def test_keyring(host, apt_repository):
    assert {"keyring": _keyring(host, apt_repository)} == {"keyring": _declared(apt_repository)}


@pytest.mark.precondition
def test_nobody_else_names_it(host, apt_repository):
    """APT refuses to work at all when two files want different signatures of one suite."""
    assert {"foreign": _foreign(host, apt_repository)} == {"foreign": ""}


def test_foreign(host, apt_repository):
    assert {"foreign": _foreign(host, apt_repository)} == {"foreign": ""}


def owned(host):
    """Repositories in files of our own, and those we switched off."""
    files = (path for path in _named(host) if path.startswith(OURS) and path.endswith(".sources"))
    return {path.removeprefix(OURS).removesuffix(".sources") for path in files} | _noted(host).keys()


def _answer(host):
    return host.run_expect([0, 1, 2], QUESTION).stdout.partition("\036")[0]


def _notes(host):
    return host.run_expect([0, 1, 2], QUESTION).stdout.partition("\036")[2]


def _named(host):
    """Files of sources that are there; an empty one names nothing, so it does not count."""
    return {line.partition(":")[0] for line in _answer(host).splitlines()}


def _text(host, path):
    return "\n".join(
        line.partition(":")[2] for line in _answer(host).splitlines() if line.startswith(f"{path}:")
    )


def _noted(host):
    """Our notes of what we switched off: name → file."""
    lines = (line.partition(":") for line in _notes(host).splitlines())
    return {path.rpartition("/")[2]: file for path, _, file in lines}


def _enabled(host, file):
    return [
        f"{source.uri} {source.suite}"
        for source in deb822.files(_answer(host)).get(file, ())
        if source.enabled
    ]


def _declared(apt_repository):
    return (apt_repository.signed_by and apt_repository.signed_by.sha256) or ""


def _keyring(host, apt_repository):
    """The keyring's digest, where one is declared; of one that is not there yet, APT will say so itself."""
    declared = _declared(apt_repository)
    if not declared:
        return ""
    path = shlex.quote(apt_repository.signed_by.keyring)
    command = f"if [ -e {path} ]; then sha256sum <{path}; else echo missing; fi"
    found = host.run_expect([0], command).stdout.split()[0]
    return declared if found == "missing" else found


def _foreign(host, apt_repository):
    """An enabled source of somebody else's for a suite of ours with the same components or another key."""
    if apt_repository.file is not None or not apt_repository.enabled:
        return ""
    wanted = deb822.sources(apt_repository.stanza)
    for path, sources in deb822.files(_answer(host)).items():
        for theirs in sources if path != apt_repository.path else ():
            for ours in wanted if theirs.enabled else ():
                same = (theirs.type, theirs.uri, theirs.suite) == (ours.type, ours.uri, ours.suite)
                apart = theirs.signed_by == ours.signed_by and not {*theirs.components} & {*ours.components}
                if same and not apart:
                    return f"{path} ({theirs.uri} {theirs.suite})"
    return ""
