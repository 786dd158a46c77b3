"""The gateway: its files are there and read by nginx, its certificate holds, its routes are answered."""

import re
import shlex

import pytest

from phoenix_hypervisor.dialects import nginx_conf
from phoenix_hypervisor.gateway import certificate, conf, probing
from phoenix_hypervisor.gateway.settings import HEALTH
from phoenix_hypervisor.kinds.nginx_gateway import CONTENT, DEFAULT_SITE, LINK, TAKEN_AWAY, WAITING
from phoenix_hypervisor.secrets import RUN_KEY, Text

FILES = f"""\
set -e
if [ ! -e {LINK} ] && [ ! -h {LINK} ]; then exit 0; fi
echo present "$(readlink {LINK} || echo a file)"
for file in {conf.FOLDER}/*; do
    [ -f "$file" ] || continue
    mode=$(stat -L -c %a "$file")
    digest=$({{ printf '%s:' {RUN_KEY}; cat "$file"; }} | sha256sum)
    [ -n "$digest" ] || exit 9
    printf 'file %s %s %s\\n' "${{file##*/}}" "$mode" "${{digest%% *}}"
done
"""
CONFIG = f"if [ -f {LINK} ]; then cat {LINK}; fi"
PARSES = "nginx -t -q 2>&1"
DEFAULT = f"[ ! -e {TAKEN_AWAY} ] || echo taken; [ ! -h {DEFAULT_SITE} ] || readlink {DEFAULT_SITE}"
CERTIFICATE = "date +%%s; if [ -e %s ]; then sed -n '/BEGIN CERT/,/END CERT/p' %s; fi"
EMERGENCY = re.compile(r"^.*\[emerg\] (\d+#\d+: )?")  # a time and a process, which are others each time
MARK = re.compile(rf"^{conf.ANSWERS_AS}: *(\w+)", re.IGNORECASE | re.MULTILINE)


def test_present(host, nginx_gateway):
    assert bool(_files(host)) == nginx_gateway.present


def test_routes(host, nginx_gateway):
    """Where each path leads, as our file on the host has it."""
    routes = [*nginx_gateway.routing.routes, *nginx_gateway.routing.names.values()]
    desired = {f"route {r.path}": f"{r.backend.who} at {r.backend.place}" for r in routes if r.path != "/"}
    assert _routes(host) == desired


def test_files(host, nginx_gateway):
    """Each file of the set, with secrets compared by a digest with a key of this run."""
    found = {line[1]: line[3] for line in _files(host)[1:]}
    same = {name: found.get(name) == text.keyed_digest() for name, text in nginx_gateway.files.items()}
    actual = {name: "as declared" if same.get(name) else "another one" for name in {**found, **same}}
    assert actual == dict.fromkeys(nginx_gateway.files, "as declared")


def test_link(host, nginx_gateway):
    """nginx finds our file by a link to the set that holds, and nobody but root may read what is in it."""
    linked, *rest = _files(host)
    modes = {f"mode of {line[1]}": line[2] for line in rest}
    desired = {f"mode of {name}": "600" for name in nginx_gateway.files}
    assert {"linked": " ".join(linked[1:]), **modes} == {"linked": f"{conf.FOLDER}/{CONTENT}", **desired}


def test_parses(host, nginx_gateway):
    """nginx takes all its files together: what it would read at its next start."""
    said = host.run_expect([0, 1], PARSES)
    wrong = next((line for line in said.stdout.splitlines() if "emerg" in line), said.stdout.strip())
    wrong = EMERGENCY.sub("", wrong)
    assert {"parses": wrong if said.rc else "yes"} == {"parses": "yes"}


def test_default_site(host, nginx_gateway):
    """The distribution's own site: switched off where that is declared, as it was where it is not."""
    lines = host.run_expect([0], DEFAULT).stdout.split()
    ours = "taken" in lines
    there = "/etc/nginx/sites-available/default" in lines
    if nginx_gateway.replace_default_site:
        actual, desired = "on" if there else "off", "off"
    else:
        actual, desired = "switched off by us" if ours else "left alone", "left alone"
    assert {"default_site": actual} == {"default_site": desired}


def test_service(host, nginx_gateway):
    said = host.run_expect([0], "systemctl show -p ActiveState,UnitFileState nginx").stdout
    found = dict(line.split("=", 1) for line in said.splitlines())
    actual = {"active": found["ActiveState"], "enabled": found["UnitFileState"]}
    assert actual == {"active": "active", "enabled": "enabled"}


def test_loaded(host, nginx_gateway):
    """No change of the files still waits for nginx to be told."""
    waits = host.run_expect([0, 1], "test -e %s", WAITING).rc == 0
    assert waits == False  # noqa: E712  (one comparison, both sides to be shown)


def test_certificate(host, nginx_gateway):
    """It is there, holds today, and for all names; one of our own is made anew in time."""
    tls = nginx_gateway.tls
    days = tls.self_signed_days if tls else None
    actual = certificate.RIGHT
    if tls:
        now, text = _certificate(host, nginx_gateway)
        actual = certificate.standing(text, now, nginx_gateway.certificate_names, days)
    assert {"certificate": actual} == {"certificate": certificate.RIGHT}


@pytest.mark.notice
def test_certificate_lasts(host, nginx_gateway):
    """Somebody should bring another one soon, or let an apply make it."""
    tls = nginx_gateway.tls
    lasts = actual = "for long enough"
    if tls:
        least = min(nginx_gateway.notice_days, (tls.self_signed_days or 1000) // 4)
        now, text = _certificate(host, nginx_gateway)
        days = certificate.left(text, now)
        actual = lasts if days > least else f"{int(days)} days left"
    assert {"certificate": actual} == {"certificate": lasts}


@pytest.mark.probe
def test_serves(host, nginx_gateway):
    """It answers on each of its ports, with the configuration that is declared: a reload may fail late."""
    asked = shlex.join(["-H", f"Host: {nginx_gateway.own_name}", "-o", "/dev/null"])
    once = f"printf '\\036'; curl -sSk -m 10 --noproxy '*' -D - {asked}"
    lines = [f"{once} {url}{HEALTH} 2>&1 || :" for url in nginx_gateway.own_urls.values()]
    lines.insert(0, "command -v curl >/dev/null || exit 127")
    answers = host.run_expect([0], "\n".join(lines)).stdout.split("\036")[1:]
    actual = {}
    for port, answer in zip(nginx_gateway.own_urls, answers, strict=True):
        found = MARK.search(answer)
        other = "another configuration" if answer.startswith("HTTP/") else answer.strip()
        actual[f"port {port}"] = "as declared" if found and found[1] == nginx_gateway.mark else other
    assert actual == {f"port {port}": "as declared" for port in nginx_gateway.own_urls}


@pytest.mark.probe
def test_routes_answer(host, nginx_gateway, feed):
    """Each route, used: a chat word by word, an embedding, the models, a list of collections."""
    asked = nginx_gateway.requests
    if not asked:
        pytest.skip("it has no routes")
    token = next(iter(nginx_gateway.tokens.values()), None)
    settings = Text('header = "Authorization: Bearer ', token, '"\n') if token else Text()
    said = feed(probing.command([request for _, request in asked], nginx_gateway.probe_seconds), settings)
    if said.rc:
        raise RuntimeError(f"the routes cannot be tried: {said.stderr.strip() or 'there is no curl'}")
    answers = probing.read(said.stdout)
    actual = {
        request.label: probing.verdict(route, answer)
        for (route, request), answer in zip(asked, answers, strict=True)
    }
    assert actual == {request.label: probing.ANSWERS for _, request in asked}


def owned(host):
    """Our file, if it is there. There is one on a host."""
    return {"nginx_gateway"} if _files(host) else set()


def _files(host):
    return [line.split() for line in host.run_expect([0], FILES).stdout.splitlines()]


def _routes(host):
    try:
        found = nginx_conf.parse(host.run_expect([0], CONFIG).stdout)
    except ValueError:
        return {}  # somebody has been there
    places = {
        one.arguments[0]: rows[0] for one in found if one.name == "upstream" and (rows := _servers(one))
    }
    routes = {}
    for location in nginx_conf.every(found, "location"):
        rows = {row.arguments[0]: row.arguments[1] for row in location.block if row.name == "set"}
        passed = next((row.arguments[0] for row in location.block if row.name == "proxy_pass"), "")
        path = location.arguments[-1]
        if passed and path != "/":
            place = places.get(passed.partition("://")[2].partition("/")[0], "")
            routes[f"route {path}"] = f"{rows.get('$phoenix_gateway_backend', '')} at {place}"
    return routes


def _servers(upstream):
    return [row.arguments[0] for row in upstream.block if row.name == "server"]


def _certificate(host, nginx_gateway):
    path = shlex.quote(nginx_gateway.certificate_path)
    now, _, text = host.run_expect([0], CERTIFICATE % (path, path)).stdout.partition("\n")
    return float(now), text
