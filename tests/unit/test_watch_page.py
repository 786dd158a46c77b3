"""The report beside the watcher's metrics: what it is made of, who may read it, what is said without it."""

import http.client
import io
import json
import sys

import pytest
from tests.unit.site_files import NODE, POOL, loaded
from tests.unit.test_report import ENTRIES, RAN, TANK, Outline, X, Y

from phoenix_hypervisor.cli.report import page
from phoenix_hypervisor.errors import PhoenixError
from phoenix_hypervisor.observe.metrics import Metrics
from phoenix_hypervisor.records.events import Run
from phoenix_hypervisor.watch.endpoint import _from_here, serving
from phoenix_hypervisor.watch.latest import Latest, Page
from phoenix_hypervisor.watch.loop import Cycle
from phoenix_hypervisor.watch.standing import Standing, standing

OTHER = "far/zfs_pool:tank"
PLAN = {
    "exit": 2, "run": "", "lost": {}, "notices": {"pve": ["it has 1 GiB of memory"]}, "round_trips": {},
    "entries": [{**entry, "orphan": False} for entry in ENTRIES],
    "resources": {X: "drift", Y: "drift", TANK: "ok"},
}  # fmt: skip
APPLY = {
    "exit": 1, "plan": PLAN, "steps": [RAN], "resources": {X: "ok", Y: "drift", TANK: "ok"},
    "stuck": {Y: "somebody else's"}, "waiting": {}, "reasons": {}, "notices": {},
}  # fmt: skip
FAR = {"exit": 0, "entries": [], "resources": {OTHER: "ok"}, "notices": {}, "lost": {}, "run": ""}


@pytest.fixture
def latest():
    return Latest(Run("watch").name, "/srv/lab")


def looked(latest, node, found, seconds=1.5):
    latest.hear(Cycle(node, found if isinstance(found, Standing) else standing(found), seconds, ()))


def events(latest):
    return [json.loads(row) for row in latest.text().splitlines()]


def test_the_last_looks_at_all_nodes_are_told_as_one_run(latest):
    assert latest.text() == ""
    looked(latest, "pve", PLAN)
    looked(latest, "far", FAR)
    assert [event["event"] for event in events(latest)] == ["run", "plan", "end"]
    looked(latest, "pve", APPLY, 3.0)
    told = {event["event"]: event for event in events(latest)}
    assert [*told] == ["run", "plan", "ran", "outcome", "end"]
    assert told["plan"]["plan"]["resources"] == {X: "drift", Y: "drift", TANK: "ok", OTHER: "ok"}
    assert told["outcome"]["stuck"] == {Y: "somebody else's"}
    assert (told["end"]["exit"], told["end"]["seconds"]) == (1, 3.0)
    latest.keep(frozenset({"far"}))
    assert "pve/" not in latest.text()


def test_of_a_node_that_is_away_nothing_is_known_and_that_is_said_once(latest):
    looked(latest, "pve", APPLY)
    looked(latest, "pve", Standing(error="no answer for 8 seconds"))
    told = {event["event"]: event for event in events(latest)}
    assert told["plan"]["plan"] == {
        "resources": dict.fromkeys((X, Y, TANK), "unknown"),
        "notices": {"pve": ["could not be looked at: no answer for 8 seconds"]},
        "entries": [],
        "checks": {},
    }
    assert told["end"]["exit"] == 3


def test_the_report_s_page_is_made_from_it_on_stdin(latest, tmp_path, monkeypatch):
    looked(latest, "pve", APPLY)
    monkeypatch.setattr(sys, "stdin", io.StringIO(latest.text()))
    site = loaded(
        tmp_path, {NODE: f"{POOL}zfs_dataset: {{tank/x: {{atime: off}}, tank/y: {{atime: off}}}}\n"}
    )
    text = Outline(page(site, "-")).text
    assert "! failed phoenix watch by " in text
    assert f"{Y} ~ differs not repaired: somebody else's" in text
    monkeypatch.setattr(sys, "stdin", io.StringIO("{}\n"))
    with pytest.raises(PhoenixError, match="has no plan"):
        page(site, "-")


def test_a_page_is_made_when_it_is_asked_for_and_kept_until_the_next_look(latest):
    made = []

    def make(record):
        made.append(record)
        return f"page {len(made)}"

    shown = Page(latest, make)
    assert (shown.html(), made) == ("", [])
    looked(latest, "pve", PLAN)
    assert [shown.html(), shown.html()] == ["page 1", "page 1"]
    looked(latest, "pve", PLAN)
    assert shown.html() == "page 2"
    assert made[1] == latest.text()


# --- over HTTP


def asked(port, path="/", host=None, method="GET"):
    asking = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    asking.request(method, path, headers={"Host": host} if host else {})
    answer = asking.getresponse()
    body = answer.read().decode()
    asking.close()
    return answer, body


def test_a_browser_of_this_machine_gets_the_report_and_nothing_in_it_may_run(latest):
    shown = Page(latest, lambda _: "<!DOCTYPE html><p>ü")
    with serving(Metrics("lab"), "127.0.0.1", 0, shown) as port:
        assert asked(port)[0].status == 503
        looked(latest, "pve", PLAN)
        for path in ("/", "/report"):
            answer, body = asked(port, path)
            assert (answer.status, body) == (200, "<!DOCTYPE html><p>ü")
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert asked(port, method="HEAD")[1] == ""
        assert [asked(port, method="POST")[0].status, asked(port, "/x")[0].status] == [405, 404]
        assert asked(port, "/metrics")[0].headers.get_content_type() == "text/plain"
        assert asked(port, "/metrics", "evil.example")[0].status == 200


def test_others_are_refused_unless_the_site_lets_everyone_in(latest):
    looked(latest, "pve", PLAN)
    shown = Page(latest, lambda _: "<p>")
    with serving(Metrics("lab"), "127.0.0.1", 0, shown) as port:
        answer, body = asked(port, host="evil.example")  # a name of its own for this machine's address
        assert (answer.status, "report_to: everyone" in body) == (403, True)
    with serving(Metrics("lab"), "127.0.0.1", 0, shown, everyone=True) as port:
        assert asked(port, host="monitor.example")[0].status == 200
    with serving(Metrics("lab"), "127.0.0.1", 0) as port:
        assert asked(port)[0].status == 404


@pytest.mark.parametrize(
    ("address", "host", "here"),
    [
        ("127.0.0.1", "127.0.0.1:9810", True),
        ("127.0.0.1", "localhost", True),
        ("::1", "[::1]:9810", True),
        ("::ffff:127.0.0.1", "localhost:9810", True),
        ("10.0.0.7", "localhost:9810", False),
        ("::ffff:10.0.0.7", "127.0.0.1", False),
        ("127.0.0.1", "localhost.evil.example", False),
        ("127.0.0.1", "", False),
    ],
)
def test_this_machine_is_known_by_its_address_and_its_name(address, host, here):
    assert _from_here({"REMOTE_ADDR": address, "HTTP_HOST": host}) is here


def test_a_page_that_cannot_be_made_is_said_and_metrics_go_on(latest):
    def broken(_):
        raise PhoenixError("no room")

    looked(latest, "pve", PLAN)
    with serving(Metrics("lab"), "127.0.0.1", 0, Page(latest, broken)) as port:
        answer, body = asked(port)
        assert (answer.status, body) == (500, "the report cannot be made: no room\n")
        assert asked(port, "/metrics")[0].status == 200
