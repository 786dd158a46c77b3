"""Ollama: its release, its unit, the models that are to be there as a whole, and that they answer."""

import json
import shlex

import pytest

from phoenix_hypervisor import units
from phoenix_hypervisor.dialects import ollama as dialect
from phoenix_hypervisor.dialects import systemd
from phoenix_hypervisor.kinds.ollama import HOME

RELEASES = f"""\
set -e
[ ! -d {HOME} ] || for home in {HOME}/*; do
    [ ! -d "$home" ] || printf '%s %s\\n' "$home" "$(cat "$home/.sha256" 2>/dev/null || echo cut)"
done
"""
LINK = "[ ! -h %s ] || readlink %s"
MANIFEST = "[ ! -f %s ] || { cat %s && echo && sha256sum <%s; }"
BLOBS = "[ ! -d %s ] || find %s -type f -printf '%%f %%s\\n'"
HEALTHY = """\
end=$(($(date +%%s) + %s))
while :; do
    code=$(curl -s -o /dev/null -m 5 -w '%%{http_code}' %s) || [ $? -lt 126 ] || exit 127
    [ "$code" != 200 ] || exit 0
    systemctl is-active -q %s || exit 1
    [ "$(date +%%s)" -lt "$end" ] || exit 1
    echo
    sleep 1
done
"""
NO_ANSWER = [0, 7, 18, 22, 28, 52, 56]
"""How curl ends with a server that answers, or wrongly, or not at all."""


def test_present(host, ollama):
    assert (ollama.unit.look(host).sort != "missing") == ollama.present


def test_foreign(host, ollama):
    """Somebody else's unit is not ours to change."""
    unit = ollama.unit
    assert {"foreign": unit.foreign(unit.look(host))} == {"foreign": ""}


def test_release(host, ollama):
    """The declared release is there as a whole."""
    actual = _releases(host).get(ollama.home, "not there")
    assert {"release": actual} == {"release": ollama.sha256}


def test_others(host, ollama):
    """No release besides: each is some gigabytes."""
    assert {"others": sorted(_releases(host).keys() - {ollama.home})} == {"others": []}


def test_program(host, ollama):
    program = shlex.quote(ollama.program)
    actual = host.run_expect([0], LINK % (program, program)).stdout.strip()
    assert {"program": actual} == {"program": ollama.argv[0]}


def test_settings(host, ollama):
    actual, desired = ollama.unit.look(host).differing(ollama.unit.text)
    assert actual == desired


def test_read(host, ollama):
    """systemd knows the file as it is now."""
    assert {"daemon_reload": ollama.unit.state(host)["NeedDaemonReload"]} == {"daemon_reload": "no"}


def test_command(host, ollama):
    """What systemd would run, with whatever others have added."""
    actual = systemd.shown_command(ollama.unit.state(host).get("ExecStart", ""))
    assert {"command": actual} == {"command": systemd.loaded_command(ollama.argv)}


def test_told(host, ollama):
    """No change still waits for Ollama to be started anew."""
    assert {"waiting": ollama.unit.look(host).waiting} == {"waiting": False}


def test_enabled(host, ollama):
    assert {"enabled": ollama.unit.state(host)["UnitFileState"]} == {"enabled": "enabled"}


def test_active(host, ollama):
    assert {"active": ollama.unit.active(host)} == {"active": "active"}


def test_models(host, ollama):
    """Each model: its manifest, and each part of it in full length."""
    actual = {f"model {one.name}": _model(host, ollama, one) for one in ollama.wanted}
    assert actual == {f"model {one.name}": _right(one) for one in ollama.wanted}


@pytest.mark.probe
def test_health(host, ollama):
    """It answers, and says that it is of the declared version."""
    url = shlex.quote(f"{ollama.local}/api/version")
    well = host.run_expect([0, 1], HEALTHY % (ollama.ready_seconds, url, ollama.unit.unit)).rc == 0
    said = "answers" if well else f"does not answer: {ollama.unit.last_words(host)}"
    assert {"health": said} == {"health": "answers"}


@pytest.mark.probe
def test_version(host, ollama):
    said = host.run_expect(NO_ANSWER, f"curl -sS -m 30 {ollama.local}/api/version").stdout
    assert {"version": dialect.version(said)} == {"version": ollama.version}


@pytest.mark.probe
def test_listed(host, ollama):
    """It lists the declared models."""
    said = host.run_expect(NO_ANSWER, f"curl -sS -m 30 {ollama.local}/api/tags").stdout
    missing = [one.name for one in ollama.wanted if one.name not in dialect.listed(said)]
    assert {"missing": missing} == {"missing": []}


@pytest.mark.probe
def test_generate(host, ollama):
    """Its first model says something."""
    if not ollama.wanted:
        pytest.skip("no model is declared")
    asked = {"model": ollama.wanted[0].name, "prompt": "Say hello.", "stream": False}
    document = json.dumps({**asked, "options": {"num_predict": 8}})
    words = (ollama.ready_seconds, shlex.quote(document), ollama.local)
    said = host.run_expect(NO_ANSWER, "curl -sS -m %s -d %s %s/api/generate" % words).stdout  # noqa: UP031
    assert {"generate": "a text" if dialect.generated(said) else said[:200]} == {"generate": "a text"}


def seen(host, ollama):
    """Whether it is ours: what we did not make is not removed."""
    return ollama.unit.look(host)


def owned(host):
    """The server, if its unit is ours and still there. There is one for each host, whatever it is called."""
    return units.owned(host, "ollama")


def _releases(host):
    lines = host.run_expect([0], RELEASES).stdout.splitlines()
    return dict(line.split() for line in lines)


def _right(one):
    return f"@{one.digest}" if one.digest else "there"


def _model(host, ollama, one):
    """What there is of a model: `there`, or its digest where one is declared; otherwise what is missing."""
    path = shlex.quote(f"{ollama.folder}/manifests/{one.manifest}")
    lines = host.run_expect([0], MANIFEST % (path, path, path)).stdout
    if not lines.strip():
        return "not there"
    manifest, digest = lines.rstrip("\n").rsplit("\n", 1)
    folder = shlex.quote(f"{ollama.folder}/blobs")
    found = host.run_expect([0], BLOBS % (folder, folder)).stdout.splitlines()
    blobs = {name: int(size) for name, size in (line.split() for line in found)}
    lost = dialect.whole(manifest, blobs)
    if lost:
        return f"in part: {lost} are missing"
    return f"@{digest.split()[0][: len(one.digest)]}" if one.digest else "there"
