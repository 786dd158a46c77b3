"""Journals on their way: to one receiver, through one port; the lab's programs really move lines."""

import contextlib
import http.client
import json
import time
from pathlib import Path

import pytest
from tests.ports import free_port
from tests.unit.programs_running import RUN, ended, running
from tests.unit.site_files import HOSTS, NODE, POOL, loaded, problems

from phoenix_hypervisor import registry
from phoenix_hypervisor.config import load
from phoenix_hypervisor.config.network import network_of
from phoenix_hypervisor.dialects.journal import JOURNALS
from phoenix_hypervisor.firewall.ports import FACT, Network
from phoenix_hypervisor.resource import Given, Ref

REPOSITORY = Path(__file__).resolve().parents[2]
SENDER = "configs/nodes/other.yaml"
PLACES = {HOSTS: "pve: {hostname: 10.0.0.1}\nother: {hostname: 10.0.0.2}\n"}
NOBODY = (
    ":1:1: journal_sender:other: nobody receives journals\n  hint: declare a `journal_receiver` in one guest"
)
KIND = "application/vnd.fdo.journal"


def sender(receivers, addresses, **settings):
    made = registry.kind("journal_sender").model_validate({"name": "chat", **settings})
    made.bind([
        Given(*FACT, Network(addresses), None),
        *(Given(JOURNALS, host, None, Ref(host, "journal_receiver", host)) for host in receivers),
    ])  # fmt: skip
    return made


def test_a_sender_sends_to_the_one_that_receives_wherever_that_is():
    assert sender(["logs"], {"logs": ("10.0.0.5", "10.0.1.5")}).url == "http://10.0.0.5:19532"
    assert sender(["logs"], {"logs": ("fd00::5",)}).url == "http://[fd00::5]:19532"
    assert sender(["chat"], {"chat": ("10.0.0.5",)}).url == "http://127.0.0.1:19532"
    assert sender(["logs"], {"logs": ()}).target == ""


@pytest.mark.parametrize(
    ("there", "here", "said"),
    [
        ("journal_receiver: {}\n", "journal_sender: {}\n", ""),
        ("journal_receiver: {}\n", "journal_sender: {receiver: pve}\n", ""),
        (
            "",
            "journal_sender: {}\n",
            NOBODY,
        ),
        (
            "journal_receiver: {state: absent}\n",
            "journal_sender: {}\n",
            NOBODY,
        ),
        (  # it was renamed
            "journal_receiver: {}\n",
            "journal_sender: {receiver: pvs}\n",
            ":1:18: journal_sender:other: `pvs` has no `journal_receiver`\n  hint: did you mean `pve`?",
        ),
        (
            "journal_receiver: {}\n",
            "journal_sender: {}\njournal_receiver: {}\n",
            (
                ":1:1: journal_sender:other: journals are received by `other`, `pve`\n"
                "  hint: say to which: `receiver: other`"
            ),
        ),
    ],
)
def test_somebody_receives_what_is_sent_and_it_is_said_who(tmp_path, there, here, said):
    found = problems(tmp_path, {**PLACES, NODE: POOL + there, SENDER: here})
    assert found == (SENDER + said if said else "")


def test_a_receiver_without_an_address_is_none(tmp_path):
    files = {NODE: POOL + "journal_receiver: {}\n", SENDER: "journal_sender: {}\n"}
    found = problems(tmp_path, {**files, HOSTS: "pve: {hostname: pve.example.org}\nother: {}\n"})
    assert found == (
        f"{SENDER}:1:1: journal_sender:other: `pve` has no static address to send journals to\n"
        "  hint: give it one, in its `net`"
    )


def test_the_port_opens_for_those_who_send_and_for_nobody_else():
    site = load(REPOSITORY)
    network = network_of(site.inventory, site.facts.values(), site.resources)
    (port,) = [one for one in network.served["monitoring"] if one.port.number == "19532"]
    senders = {ref.host for ref in site.resources if ref.kind == "journal_sender"}
    assert set(port.clients or ()) == senders == {"phoenix", "vllm-chat", "vllm-embed", "gateway", "ollama"}
    assert not [one for one in site.warnings if "hardening" in str(one)]


def test_a_container_without_nesting_is_warned_of(tmp_path):
    guest = "lxc: {template: base, rootfs: {storage: disks, size: 8G}, features: {nesting: %s}}\n"
    node = """
zfs_dataset: {tank/disks: {}, tank/iso: {}}
pve_storage:
  disks: {type: zfspool, pool: tank/disks, content: [rootdir]}
  iso: {type: dir, path: /tank/iso, content: [iso, vztmpl]}
ct_template: {base: {storage: iso, file: base_1_amd64.tar.zst}}
journal_receiver: {}
"""
    files = {
        f"configs/guests/{name}.yaml": guest % nesting + "journal_sender: {}\n"
        for name, nesting in (("950-with", "true"), ("951-without", "false"))
    }
    site = loaded(tmp_path, {NODE: POOL + node, HOSTS: "pve: {hostname: 10.0.0.1}\n", **files})
    said = [str(one) for one in site.warnings if "hardening" in str(one)]
    assert said == [
        (
            "configs/guests/951-without.yaml:2:1: warning: journal_sender:without: the hardening of its unit "
            "does not work in `without`\n  hint: `lxc: {features: {nesting: true}}`"
        )
    ]


def asked(port, path, body, kind=KIND, method="POST"):
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=120)) as connection:
        connection.request(method, path, body, {"Content-Type": kind})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


def until(true):
    end = time.monotonic() + 120
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_the_lab_s_programs_move_lines_go_on_where_they_were_and_end_when_nobody_receives(
    tmp_path, monkeypatch, capsys
):
    port, kept, own, state = free_port(), tmp_path / "kept", tmp_path / "own", tmp_path / "state"
    words = ("systemd-journal-upload", f"--url=http://127.0.0.1:{port}", f"--save-state={state}")
    words += (f"--directory={own}",)
    own.mkdir()
    log = own / "syslog.log"
    log.write_text("1700000000.000000001 \x1froot[7]\x1ffirst\n1700000000.000000002 Started x.\n")

    def received():
        file = kept / "remote-127.0.0.1.journal"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    with running("systemd-journal-remote", f"--listen-http={port}", f"--output={kept}/"):
        with running(*words):
            until(lambda: len(received()) == 2 and state.exists())
        with log.open("a") as file:
            file.write("1700000001.000000000 \x1froot[8]\x1fsecond\n")
        with running(*words):
            until(lambda: f"t={1700000001 * 10**6:x};" in state.read_text())  # so it was taken
        assert [one["MESSAGE"] for one in received()] == ["first", "Started x.", "second"]
        assert [one["SYSLOG_IDENTIFIER"] for one in received()] == ["root", "systemd", "root"]
        assert asked(port, "/upload", b"A=1\n\n", "text/plain")[0] == 415
        assert asked(port, "/other", b"A=1\n\n") == (404, "Not found.\n")
        assert asked(port, "/upload", b"nothing\n\n")[0] == 422
        assert asked(port, "/upload", None, method="GET") == (406, "Unsupported method.\n")
    before = state.read_text()
    with log.open("a") as file:
        file.write("1700000002.000000000 third\n")
    monkeypatch.syspath_prepend(str(RUN.parent))
    import program_systemd_journal_upload as upload

    monkeypatch.setattr(upload, "PATIENCE", 0.0)
    refused = f"Upload to http://127.0.0.1:{port}/upload failed: Couldn't connect to server\n"
    assert (upload.main([*words[1:]]), capsys.readouterr().err, state.read_text()) == (1, refused, before)
    assert ended("systemd-journal-remote", "--bogus")[0] == 70


def test_the_lab_s_receiver_keeps_its_limits_and_says_when_it_cannot_keep_a_line(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(RUN.parent))
    import program_systemd_journal_remote as receiver
    from web import Request

    store = receiver.Store(str(tmp_path), {"MaxUse": 4000, "MaxFileSize": 1 << 20})

    def sent(text):
        body = f"MESSAGE={text}\n\n".encode()
        return store.answer(Request("POST", "/upload", [("Content-Type", KIND)], body, "10.0.0.5")).status

    assert {sent(f"{number:0100}") for number in range(100)} == {202}
    files = list(tmp_path.iterdir())
    assert tmp_path / "remote-10.0.0.5.journal" in files
    assert 2000 < sum(path.stat().st_size for path in files) <= 4000 + 500
    assert not any(f"{0:0100}" in path.read_text() for path in files)
    assert f"{99:0100}" in (tmp_path / "remote-10.0.0.5.journal").read_text()
    store.folder = str(tmp_path / "gone")
    assert sent("x") == 500


def test_what_is_declared_of_a_receiver_is_what_systemd_reads():
    made = registry.kind("journal_receiver").model_validate({
        "name": "logs", "max_use": "8G", "keep_free": "1.5G", "keep_days": 30,
    })  # fmt: skip
    assert made.config == "[Remote]\nSplitMode=host\nMaxUse=8G\nKeepFree=1536M\n"
    assert made.cleaned == "e /var/log/journal/remote - - - m:30d\n"
    plain = registry.kind("journal_receiver").model_validate({"name": "logs"})
    assert (plain.config, plain.cleaned, plain.limited) == ("[Remote]\nSplitMode=host\n", "", False)


def test_a_site_whose_node_receives_is_a_site(tmp_path):
    site = loaded(tmp_path, {NODE: POOL + "journal_receiver: {}\njournal_sender: {}\n"})
    assert site.resources[Ref("pve", "journal_sender", "pve")].url == "http://127.0.0.1:19532"
