"""Network interfaces: what the files say of them, and what the kernel has."""

from typing import Any, NamedTuple

import pytest

from phoenix_hypervisor.dialects import interface_definitions as written
from phoenix_hypervisor.dialects import interfaces, iproute
from phoenix_hypervisor.kinds.network_interface import OURS, Foreign, Seen
from phoenix_hypervisor.resource import STATE_FOLDER

SEPARATOR = "\x1e"
ARMED = f"{STATE_FOLDER}/before/network.armed"
# Every file, whether a change waits to be confirmed, and which address of ours we came to: sudo forgets it.
FILES = f"""\
for file in {interfaces.MAIN} {interfaces.FOLDER}/*; do
    [ ! -f "$file" ] || {{ printf '\\036file %s\\n' "$file"; cat "$file"; }} || exit
done
if [ -e {ARMED} ]; then waits=yes; else waits=no; fi
printf '\\036waits %s\\n' "$waits"
connection=${{SSH_CONNECTION:-}} pid=$$
while [ -z "$connection" ] && [ "${{pid:-1}}" -gt 1 ]; do
    connection=$(tr '\\0' '\\n' 2>/dev/null <"/proc/$pid/environ" | sed -n 's/^SSH_CONNECTION=//p')
    pid=$(sed -n 's/^PPid:[[:space:]]*//p' "/proc/$pid/status")
done
printf '\\036connection %s\\n' "$connection\""""


class Files(NamedTuple):
    """What the answer to FILES says."""

    texts: dict[str, str]
    parsed: Any
    waits: bool
    own: str
    """The address of the node's to which this connection goes."""


def test_present(host, network_interface):
    """A stanza of somebody else's will do as well; only ours can be asked to go."""
    found = _files(host)
    there = network_interface.file in found.texts
    foreign = bool(_foreign(found, network_interface).of(network_interface.name))
    assert (there or (network_interface.present and foreign)) == network_interface.present


@pytest.mark.precondition
def test_machine_has_what_it_would_be_made_of(host, network_interface):
    assert {"missing": _missing(host, network_interface)} == {"missing": ""}


def test_machine_has_what_it_is_made_of(host, network_interface):
    assert {"missing": _missing(host, network_interface)} == {"missing": ""}


@pytest.mark.precondition
def test_folder_would_be_read(host, network_interface):
    assert {"sourced": _sourced(host, network_interface)} == {"sourced": True}


def test_folder_is_read(host, network_interface):
    assert {"sourced": _sourced(host, network_interface)} == {"sourced": True}


@pytest.mark.precondition
def test_would_be_the_one_way_out(host, network_interface):
    assert {"gateways": _other_gateway(host, network_interface)} == {"gateways": ""}


def test_one_way_out(host, network_interface):
    assert {"gateways": _other_gateway(host, network_interface)} == {"gateways": ""}


def test_foreign(host, network_interface):
    """A stanza of somebody else's says the same, and there is none beside ours."""
    found, said = _files(host), ""
    foreign = _foreign(found, network_interface)
    if stanzas := foreign.of(network_interface.name):
        theirs = written.definition(foreign, network_interface.name)
        wanted = network_interface.definition
        differs = written.differing(theirs, wanted, auto=network_interface.minds_auto)
        if network_interface.file in found.texts or differs:
            more = f", with {'; '.join(differs)}" if differs else ", beside ours"
            said = f"somebody else defines it in {stanzas[0].at}{more}"
    assert {"foreign": said} == {"foreign": ""}


def test_definition(host, network_interface):
    found, wanted = _files(host), network_interface.definition
    own = found.texts.get(network_interface.file)
    source = _foreign(found, network_interface) if own is None else interfaces.parse(own)
    actual = written.definition(source, network_interface.name)
    auto = network_interface.minds_auto
    assert written.shown(actual, wanted, auto=auto) == written.shown(wanted, wanted, auto=auto)


def test_confirmed(host, network_interface):
    """No change waits to be taken back: it was confirmed through a new connection."""
    assert {"unconfirmed": _files(host).waits} == {"unconfirmed": False}


def test_up(host, network_interface):
    if network_interface.auto is False:
        pytest.skip("it is brought up by hand")
    link = _live(host).links.get(network_interface.name)
    assert {"up": link is not None and link.up} == {"up": True}


def test_running(host, network_interface):
    """What the kernel has; of an interface that is not there, `up` says so."""
    link = _live(host).links.get(network_interface.name)
    if network_interface.auto is False or link is None:
        pytest.skip("it is not there")
    actual, desired = iproute.running(_live(host), link, network_interface.definition)
    assert actual == desired


def seen(host, network_interface):
    """What steps depend on besides: lines of somebody else's, guests on it, and our own way to the node."""
    found = _files(host)
    name = network_interface.name
    foreign = _foreign(found, network_interface)
    files = {stanza.at.file: stanza.at.first for stanza in reversed(foreign.of(name))}
    edits = tuple(
        Foreign(file, line, old, new)
        for file, line in files.items()
        for old, new in interfaces.removed(found.texts[file], name, file)
    )
    return Seen(edits, _live(host).guests(name), _lost(host, network_interface))


def owned(host):
    """Interfaces in files of our own."""
    return {file.removeprefix(OURS) for file in _files(host).texts if file.startswith(OURS)}


def _files(host):
    texts, waits, own = {}, False, ""
    for part in host.run_expect([0], FILES).stdout.split(SEPARATOR)[1:]:
        head, _, body = part.partition("\n")
        sort, _, rest = head.partition(" ")
        if sort == "file":
            texts[rest] = body
        elif sort == "waits":
            waits = rest == "yes"
        elif rest:
            own = rest.split()[2].partition("%")[0]
    return Files(texts, interfaces.read(texts), waits, own)


def _foreign(found, network_interface):
    return found.parsed.without(network_interface.file)


def _live(host):
    return iproute.live(host.run_expect([0], iproute.LIVE).stdout)


def _sourced(host, network_interface):
    sources = _files(host).parsed.sources
    return any(interfaces.matches(pattern, network_interface.file) for pattern in sources)


def _missing(host, network_interface):
    known = {*_live(host).links, *network_interface.declared} - {network_interface.name}
    known |= {network_interface.name} & {*_live(host).links}
    return ", ".join(one for one in network_interface.below if one not in known)


def _other_gateway(host, network_interface):
    """A default gateway of somebody else's beside ours: the kernel would take the one or the other."""
    parsed = _files(host).parsed
    for stanza in parsed.stanzas:
        other = written.definition(parsed, stanza.name)
        both = (
            (network_interface.gateway, other.gateway),
            (network_interface.gateway6, other.gateway6),
        )
        if stanza.name not in network_interface.declared and any(ours and theirs for ours, theirs in both):
            return f"{stanza.name} has one too, in {stanza.at}"
    return ""


def _lost(host, network_interface):
    """The address to which this connection goes, when this interface has it now and none would have it."""
    found, name = _files(host), network_interface.name
    link = _live(host).links.get(name)
    held = link is not None and any(one.partition("/")[0] == found.own for one in link.addresses)
    if not held or "dhcp" in (network_interface.method, network_interface.method6):
        return ""
    kept = {one for addresses in network_interface.declared.values() for one in addresses}
    for other in {stanza.name for stanza in found.parsed.stanzas} - {*network_interface.declared}:
        kept |= {*written.definition(found.parsed, other).addresses}
    return "" if found.own in {one.partition("/")[0] for one in kept} else found.own
