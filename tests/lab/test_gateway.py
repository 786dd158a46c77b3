"""A gateway in a container of the lab: what nginx refuses changes nothing, and whoever is down is named."""

import pytest
from tests.lab.containers import BASE, Containers
from tests.lab.small import SmallSite

from phoenix_hypervisor.observe.kinds_page import yaml

STEM = "952-gate"
GATE = "gate/nginx_gateway:gate"
HEALTH = "curl -s --noproxy '*' -H 'Host: gate.example.org' http://127.0.0.1/%s"
ITSELF = {"url": "http://127.0.0.1:80", "check": "/healthz"}


class Gate(SmallSite):
    """A site with nothing but a gateway in a container."""

    def gate(self, **routes):
        declared = {"server_names": ["gate.example.org"], "routes": {"/self/": ITSELF, **routes}}
        sections = {"lxc": BASE, "apt_package": {"nginx": {}}, "nginx_gateway": declared}
        (self.folder / f"configs/guests/{STEM}.yaml").write_text(yaml(sections))

    def inside(self, command):
        return self.on_node(f"pct exec 952 -- sh -c {quoted(command)}")


def quoted(command):
    return "'" + command.replace("'", "'\\''") + "'"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    made = Gate(Containers.fresh(tmp_path_factory.mktemp("gateway") / "site").folder)
    made.gate()
    applied = made.run("apply", "--yes")
    assert applied.status == 0, applied.out + applied.err
    return made


def test_what_nginx_does_not_take_is_said_in_its_words_and_changes_nothing(site):
    """Somebody's own file is broken: ours cannot be tried with it, and stays as it was."""
    site.inside("echo '-;' >/etc/nginx/conf.d/theirs.conf")
    before = site.inside(
        "readlink /etc/nginx/phoenix-gateway; ls -a /etc/nginx /etc/nginx/phoenix-gateway.sets"
    )
    site.gate(**{"/more/": ITSELF})
    refused = site.run("apply", "--yes")
    after = site.inside(
        "readlink /etc/nginx/phoenix-gateway; ls -a /etc/nginx /etc/nginx/phoenix-gateway.sets"
    )
    site.inside("rm /etc/nginx/conf.d/theirs.conf")
    repaired = site.run("apply", "--yes")
    assert refused.status == 1
    said = " ".join((refused.out + refused.err).split())
    assert "the gateway is as it was: nginx does not take it: " in said
    assert 'unknown directive "-" in conf.d/theirs.conf:1' in said
    assert after == before
    assert repaired.status == 0, repaired.out + repaired.err
    assert site.inside(HEALTH % "more/healthz") == '{"status": "ok"}\n'
    assert '"code": "unknown_path"' in site.inside(HEALTH % "other")


def test_a_backend_that_is_down_is_named(site):
    site.gate(**{"/dead/": {"url": "http://10.0.0.99:9"}})
    applied = site.run("apply", "--yes")
    assert applied.status == 1
    assert "/dead/: '10.0.0.99:9 (10.0.0.99:9) does not answer', not 'answers'" in applied.out + applied.err
    assert "/self/" not in applied.out.splitlines()[-1]


def test_what_somebody_changed_is_found_and_put_right(site):
    site.gate()
    site.run("apply", "--yes")
    site.inside("sed -i 's/8081/8099/' /etc/nginx/phoenix-gateway/gateway.conf; systemctl stop nginx")
    plan = site.plan()
    (entry,) = plan["entries"]
    assert entry["resource"] == GATE
    assert {one["attribute"] for one in entry["changes"]} == {"gateway.conf", "active"}
    assert site.run("apply", "--yes").status == 0
