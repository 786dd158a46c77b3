"""The desktop's services: what a remote desktop is asked and answers, and the lab's xrdp and JupyterLab."""

import socket

import pytest
from tests.ports import free_port
from tests.unit.programs_running import ask, ended, running

from phoenix_hypervisor import registry
from phoenix_hypervisor.dialects import rdp

CONFIRMED = "030000130ed00000123400"


@pytest.mark.parametrize(
    ("answer", "offered"),
    [
        (f"{CONFIRMED}0201080001000000", "TLS"),
        (f"{CONFIRMED}0200080000000000", "its own encryption, without TLS"),
        ("0300000b06d00000123400", "its own encryption, without TLS"),
        (
            f"{CONFIRMED}0300080003000000",
            "refused: it has no certificate, or may not read its key (SSL_CERT_NOT_ON_SERVER)",
        ),
        (f"{CONFIRMED}0300080009000000", "refused: failure 9"),
        (f"{CONFIRMED}0201080008000000", "the protocol 8, for which nobody asked"),
        (f"{CONFIRMED}0901080001000000", "no answer to what was asked for: 0x09"),
        ("030000130ef000001234000201080001000000", "no Connection Confirm: 0xf0"),
        (f"{CONFIRMED}02010800", "no answer of a remote desktop: 030000130ed0000012340002010800"),
        ("", "no answer of a remote desktop: nothing"),
        (
            b"SSH-2.0-OpenSSH_9.6\r\n".hex(),
            "no answer of a remote desktop: 5353482d322e302d4f70656e5353485f392e360d0a",
        ),
    ],
)
def test_what_a_remote_desktop_offers_is_said_in_words(answer, offered):
    assert rdp.offered(bytes.fromhex(answer)) == offered


def test_the_first_message_asks_for_tls():
    assert len(rdp.REQUEST) == rdp.REQUEST[3] == 19
    assert rdp.REQUEST[5] == 0xE0
    assert rdp.REQUEST[11:] == bytes([1, 0, 8, 0, 1, 0, 0, 0])


@pytest.mark.parametrize(
    ("asked", "layer", "readable", "answer"),
    [
        (1, "negotiate", True, f"{CONFIRMED}0201080001000000"),
        (3, "negotiate", False, f"{CONFIRMED}0201080000000000"),
        (1, "tls", True, f"{CONFIRMED}0201080001000000"),
        (1, "tls", False, f"{CONFIRMED}0300080003000000"),
        (0, "tls", True, f"{CONFIRMED}0300080001000000"),
        (1, "rdp", True, f"{CONFIRMED}0201080000000000"),
        (None, "negotiate", True, "0300000b06d00000123400"),
    ],
)
def test_the_labs_xrdp_answers_as_xrdp_does(asked, layer, readable, answer, xrdp):
    assert xrdp.answer(asked, layer, readable).hex() == answer


@pytest.fixture
def xrdp(monkeypatch):
    """The program, as a module."""
    import importlib

    from tests.unit.programs_running import RUN

    monkeypatch.syspath_prepend(RUN.parent)
    return importlib.import_module("program_xrdp")


def test_the_labs_xrdp_speaks_over_a_socket(xrdp):
    ours, theirs = socket.socketpair()
    with ours:
        ours.sendall(rdp.REQUEST)
        xrdp._converse(theirs, "negotiate", True)
        assert rdp.offered(ours.recv(64)) == rdp.TLS
        assert ours.recv(64) == b""
    assert ended("xrdp", "--kill")[::2] == (70, "xrdp: not simulated: --kill\n")


def test_the_labs_jupyter_tells_its_version_to_all_and_the_rest_for_its_token(tmp_path):
    (tmp_path / "lib/python3.12/site-packages/jupyter_server-2.21.1.dist-info").mkdir(parents=True)
    (tmp_path / "token").write_text("canary-token")
    port = free_port()
    words = ("jupyter-lab", "--no-browser", "--ip=127.0.0.1", f"--port={port}")
    told = {"PHOENIX_LAB_ENV": str(tmp_path), "JUPYTER_TOKEN_FILE": str(tmp_path / "token")}
    with running(*words, **told):
        assert ask(port, "GET", "/api") == (200, {"version": "2.21.1"})
        assert ask(port, "GET", "/api/kernels") == (403, {"message": "Forbidden", "reason": None})
        assert ask(port, "GET", "/api/kernels?token=other")[0] == 403
        assert ask(port, "GET", "/api/kernels?token=canary-token") == (200, [])
    status, _, said = ended(*words, **{**told, "JUPYTER_TOKEN_FILE": str(tmp_path / "none")})
    assert (status, "No such file or directory" in said) == (1, True)
    assert ended("jupyter-lab", "--ServerApp.token=x")[::2] == (
        70,
        "jupyter-lab: not simulated: --ServerApp.token=x\n",
    )


def unit(**settings):
    sections = {"Service": {"ExecStart": "/bin/x"}, "Install": {"WantedBy": "multi-user.target"}}
    return registry.kind("systemd_unit").model_validate(
        {"name": "x.service", "sections": sections, **settings}
    )


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ({}, "needs one of `http` and `rdp`"),
        ({"http": "http://127.0.0.1/", "rdp": 3389}, "needs one of `http` and `rdp`"),
        ({"rdp": 3389, "says": "x"}, "`says` belongs to `http`"),
    ],
)
def test_one_thing_answers(answers, said):
    with pytest.raises(ValueError, match=said):
        unit(answers=answers)


def test_what_runs_and_does_not_answer_is_started_anew_unless_nobody_may():
    (step,) = unit(answers={"rdp": 3389}).heal("test_answers")
    assert step.title == "systemctl restart x.service"
    assert list(unit(answers={"rdp": 3389}, on_change="nothing").heal("test_answers")) == []
