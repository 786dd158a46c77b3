"""A real nginx with the gateway's real files before real sockets, all on the loopback."""

import json
import os
import random
import socket
import ssl
import subprocess
import threading
from contextlib import contextmanager

import pytest
from tests.ports import free_port, free_ports
from tests.real.gateway import ask, backend, connect, gateway, nginx, secret

from phoenix_hypervisor.dialects.nginx_conf import d, write
from phoenix_hypervisor.gateway import probing
from phoenix_hypervisor.services import Service

NAME = "gateway.example.org"


@pytest.fixture
def server(tmp_path):
    with nginx(tmp_path / "host") as made:
        yield made


@pytest.fixture
def port():
    return free_port()


def test_a_chat_arrives_word_by_word(server, port):
    """The backend says the next word only when the one before has arrived: nothing is held back."""
    arrived = threading.Semaphore(0)

    def chat(asked):
        asked.begin_stream()
        for word in ("one", "two", "three"):
            asked.send_chunk(f'data: {{"choices": [{{"delta": {{"content": "{word}"}}}}]}}\n\n')
            assert arrived.acquire(timeout=60)
        asked.send_chunk("data: [DONE]\n\n")
        asked.send_chunk("")

    with backend(chat) as chatting:
        server.runs(gateway(
            {"server_names": [NAME], "port": port, "status": None},
            {"vllm-chat/chat": Service("chat", chatting.port, model="small")},
        ))  # fmt: skip
        connection = connect(port)
        connection.request("POST", "/v1/chat/completions", "{}", {"Content-Type": "application/json"})
        answer = connection.getresponse()
        assert (answer.status, answer.getheader("Content-Type")) == (200, "text/event-stream")
        words = []
        for _ in range(3):
            words.append(json.loads(answer.readline()[5:])["choices"][0]["delta"]["content"])
            answer.readline()
            arrived.release()
        assert words == ["one", "two", "three"]
        assert answer.read() == b"data: [DONE]\n\n"
        connection.close()


def test_each_service_is_asked_at_its_own_path_with_who_asks(server, port):
    with backend() as chat, backend() as embed, backend() as store, backend() as ollama, backend() as web:
        server.runs(gateway(
            {"server_names": [NAME], "port": port, "status": None},
            {
                "a/chat": Service("chat", chat.port, model="small"),
                "b/embed": Service("embeddings", embed.port, model="tiny"),
                "c/qdrant": Service("vector-store", store.port),
                "d/ollama": Service("ollama", ollama.port),
                "e/webui": Service("web", web.port, prefix="/webui/"),
            },
        ))  # fmt: skip
        asked = {
            "/v1/chat/completions": (chat, "/v1/chat/completions"),
            "/v1/completions": (chat, "/v1/completions"),
            "/v1/models": (chat, "/v1/models"),
            "/v1/embeddings": (embed, "/v1/embeddings"),
            "/qdrant/collections?wait=true": (store, "/collections?wait=true"),
            "/ollama/api/tags": (ollama, "/api/tags"),
            "/webui/": (web, "/"),
        }
        for path, (who, there) in asked.items():
            headers = {"Host": f"{NAME}:{port}", "X-Forwarded-For": "8.8.8.8", "X-Request-Id": f"test-{port}"}
            assert ask(port, path, headers=headers).json == {"path": there}
            _, _, seen, _ = who.seen[-1]
            told = {
                name: seen.get(name)
                for name in (
                    "Host",
                    "X-Real-IP",
                    "X-Forwarded-For",
                    "X-Forwarded-Proto",
                    "X-Request-Id",
                    "Connection",
                )
            }
            assert told == {
                "Host": f"{NAME}:{port}",
                "X-Real-IP": "127.0.0.1",
                "X-Forwarded-For": "127.0.0.1",
                "X-Forwarded-Proto": "http",
                "X-Request-Id": f"test-{port}",
                "Connection": None,
            }  # fmt: skip
        assert store.seen[-1][2]["X-Forwarded-Prefix"] == "/qdrant"
        assert "X-Forwarded-Prefix" not in chat.seen[-1][2]


def test_a_request_has_one_id_at_the_client_the_backend_and_in_the_log(server, port):
    with backend(lambda asked: asked.say(200, {}, X_Request_Id="its-own")) as chat:
        server.runs(gateway(
            {"server_names": [NAME], "port": port, "status": None}, {"a/chat": Service("chat", chat.port)}
        ))  # fmt: skip
        for sent in ({}, {"X-Request-Id": 'x"y'}):
            got = ask(port, "/v1/models?key=private", headers=sent).getheader("X-Request-Id")
            assert len(got) == 32
            assert chat.seen[-1][2]["X-Request-Id"] == got
            line = server.logged(got)[-1]
            told = {
                name: line[name] for name in ("request_id", "path", "status", "route", "backend", "client")
            }
            assert told == {
                "request_id": got,
                "path": "/v1/models",
                "status": "200",
                "route": "/v1/models",
                "backend": "a/chat",
                "client": "",
            }
            assert "private" not in json.dumps(line)


def test_a_request_has_one_trace_at_the_backend_and_in_the_log(server, port):
    trace, span = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    theirs = {"traceparent": f"00-{trace}-{span}-01", "tracestate": "vendor=1"}
    with backend(lambda asked: asked.say(200, {})) as chat:
        server.runs(gateway(
            {"server_names": [NAME], "port": port, "status": None}, {"a/chat": Service("chat", chat.port)}
        ))  # fmt: skip

        def told(headers):
            """What the backend got, and the trace in the log."""
            got = ask(port, "/v1/models", headers=headers).getheader("X-Request-Id")
            seen = chat.seen[-1][2]
            return got, seen.get("traceparent"), seen.get("tracestate"), server.logged(got)[-1]["trace_id"]

        assert told(theirs)[1:] == (theirs["traceparent"], "vendor=1", trace)
        none = f"00-{'0' * 32}-{span}-01"
        for wrong in ({}, {"traceparent": "x"}, {"traceparent": none, "tracestate": "vendor=1"}):
            got, parent, state, logged = told(wrong)
            assert (parent, state, logged) == (f"00-{got}-{got[:16]}-01", None, got)  # a new trace


def error_of(answer):
    told = answer.json["error"]
    assert len(told["request_id"]) == 32
    return answer.status, told["code"], answer.getheader("X-Gateway-Error"), answer.getheader("Content-Type")


def test_errors_are_json_and_say_who_does_not_answer(server, port):
    dead = free_port()
    busy = lambda asked: asked.say(503, {"mine": True})  # noqa: E731
    with backend(busy) as ollama:
        server.runs(gateway(
            {"server_names": [NAME], "port": port, "status": None, "max_body": "1K"},
            {"a/chat": Service("chat", dead), "d/ollama": Service("ollama", ollama.port)},
        ))  # fmt: skip
        kind = "application/json"
        assert error_of(ask(port, "/nothing.html")) == (404, "unknown_path", "unknown_path", kind)
        assert error_of(ask(port, "/v1/chat")) == (404, "unknown_path", "unknown_path", kind)
        down = ask(port, "/v1/chat/completions", method="POST", body="{}")
        assert error_of(down) == (503, "backend_unavailable", "backend_unavailable", kind)
        assert down.json["error"]["message"] == "The backend a/chat does not answer."
        assert down.getheader("Retry-After") == "10"
        large = ask(port, "/ollama/api/chat", method="POST", body=b"x" * 1025)
        assert error_of(large) == (413, "body_too_large", "body_too_large", kind)
        theirs = ask(port, "/ollama/api/chat", method="POST", body=b"x" * 1024)
        assert (theirs.status, theirs.json, theirs.getheader("X-Gateway-Error")) == (
            503,
            {"mine": True},
            None,
        )


def test_a_backend_that_is_silent_for_too_long(server, port):
    over = threading.Event()
    with backend(lambda asked: over.wait(20)) as chat:
        server.runs(gateway(
            {"server_names": [NAME], "port": port, "status": None, "read_seconds": 1},
            {"a/chat": Service("chat", chat.port)},
        ))  # fmt: skip
        late = ask(port, "/v1/models")
        over.set()
        assert error_of(late) == (504, "backend_timeout", "backend_timeout", "application/json")
        assert late.json["error"]["message"] == "The backend a/chat took too long."


def test_only_who_has_a_token_comes_in(server, port):
    token = "aB3._~+/=-" * 4
    with backend() as chat, backend() as web:
        tokens = {"editor": secret("token", token)}
        server.runs(gateway(
            {"server_names": [NAME], "port": port, "status": None, "tokens": tokens},
            {"a/chat": Service("chat", chat.port), "e/ui": Service("web", web.port, prefix="/ui/")},
        ))  # fmt: skip
        refused = [
            None,
            "",
            "Bearer ",
            f"Bearer {token.lower()}",
            f"Bearer {token}x",
            f"Basic {token}",
            "Bearer .*",
        ]
        for sent in refused:
            answer = ask(port, "/v1/models", headers={"Authorization": sent} if sent is not None else {})
            assert error_of(answer) == (401, "unauthorized", "unauthorized", "application/json"), sent
            assert answer.getheader("WWW-Authenticate") == "Bearer"
        assert chat.seen == []
        for sent in (f"Bearer {token}", f"bearer {token}"):
            answer = ask(port, "/v1/models", headers={"Authorization": sent})
            assert answer.status == 200
        assert server.logged(answer.getheader("X-Request-Id"))[-1]["client"] == "editor"
        assert ask(port, "/ui/").status == 200  # people log in there by themselves
        found = [path for path in server.files.rglob("*") if path.is_file() and token in path.read_text()]
        assert found
        assert {os.stat(path).st_mode & 0o777 for path in found} == {0o600}
    assert token not in "".join(map(json.dumps, server.logged())) + server.errors()


def test_a_token_that_could_say_something_to_nginx_changes_nothing(server, port):
    with backend() as chat:
        good = {"server_names": [NAME], "port": port, "status": None}
        serving = {"a/chat": Service("chat", chat.port)}
        server.runs(gateway(good, serving))
        for token in ("short", 'x" 1; } server { listen 1;}' * 2, "a b" * 10, "\\E.*" * 8):
            ended = server.put(gateway({**good, "tokens": {"editor": secret("token", token)}}, serving))
            assert (ended.returncode, "a token must be" in ended.stderr) == (1, True)
            assert token not in ended.stdout + ended.stderr
        assert ask(port, "/v1/models").status == 200


def frame(payload, mask=None):
    head = bytes([0x81, (0x80 if mask else 0) | len(payload)])
    return head + (mask or b"") + bytes(b ^ (mask or b"\0" * 4)[n % 4] for n, b in enumerate(payload))


def test_websockets_pass(server, port):
    def echo(asked):
        asked.upgrade()
        for _ in range(2):
            length = asked.rfile.read(2)[1] & 0x7F
            mask = asked.rfile.read(4)
            said = bytes(b ^ mask[n % 4] for n, b in enumerate(asked.rfile.read(length)))
            asked.wfile.write(frame(said.upper()))
        asked.close_connection = True

    with backend(echo) as web:
        server.runs(gateway(
            {"server_names": [NAME], "port": port, "status": None},
            {"e/ui": Service("web", web.port, prefix="/ui/")},
        ))  # fmt: skip
        with socket.create_connection(("127.0.0.1", port), 20) as client:
            client.sendall(
                f"GET /ui/socket HTTP/1.1\r\nHost: {NAME}\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n"
                "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
            )
            reading = client.makefile("rb")
            head = b"".join(iter(reading.readline, b"\r\n")).decode()
            assert head.startswith("HTTP/1.1 101")
            assert "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in head
            for word in (b"one", b"two"):
                client.sendall(frame(word, b"\1\2\3\4"))
                assert reading.read(2 + len(word)) == frame(word.upper())
        assert web.seen[0][1] == "/socket"


def test_nobody_upgrades_to_anything_else(server, port):
    with backend() as web:
        server.runs(gateway(
            {"server_names": [NAME], "port": port, "status": None},
            {"e/ui": Service("web", web.port, prefix="/ui/")},
        ))  # fmt: skip
        ask(port, "/ui/", headers={"Upgrade": "h2c", "Connection": "Upgrade, HTTP2-Settings"})
        assert {"Upgrade", "Connection"} & web.seen[0][2].keys() == set()


@contextmanager
def speaking(port, context, name):
    with (
        socket.create_connection(("127.0.0.1", port), 20) as plain,
        context.wrap_socket(plain, server_hostname=name) as client,
    ):
        yield client


def test_names_have_a_certificate_and_nobody_goes_without(server, port):
    tls_port = free_port()
    with backend() as chat, backend() as web:
        made = gateway(
            {
                "server_names": [NAME], "port": port, "tls_port": tls_port, "status": None,
                "tls": {"self_signed_days": 90, "hsts_seconds": 60}, "rate_limit": {"per_second": 100},
                "names": {"ui.example.org": {"service": "e/ui"}},
            },
            {"a/chat": Service("chat", chat.port), "e/ui": Service("web", web.port, prefix="/ui/")},
        )  # fmt: skip
        server.runs(made)
        sent = ask(port, "/v1/models?a=b", headers={"Host": NAME})
        assert (sent.status, sent.getheader("Location")) == (308, f"https://{NAME}:{tls_port}/v1/models?a=b")
        file = server.files / "phoenix-gateway.tls/self-signed.pem"
        assert file.stat().st_mode & 0o777 == 0o600
        trusting = ssl.create_default_context(cafile=str(file))
        for name, path, who in ((NAME, "/v1/models", chat), ("ui.example.org", "/app", web)):
            with speaking(tls_port, trusting, name) as client:
                client.sendall(f"GET {path} HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
                got = client.makefile("rb").read().decode()
            assert got.startswith("HTTP/1.1 200")
            assert "Strict-Transport-Security: max-age=60" in got
            assert (who.seen[-1][1], who.seen[-1][2]["X-Forwarded-Proto"]) == (path, "https")
        with pytest.raises(ssl.SSLCertVerificationError), speaking(tls_port, trusting, "other.example.org"):
            pass
        offered = subprocess.run(
            ["openssl", "s_client",
             "-connect", f"127.0.0.1:{tls_port}", "-tls1_1", "-cipher", "ALL:@SECLEVEL=0"],
            capture_output=True, stdin=subprocess.DEVNULL, check=False, timeout=20,
        )  # fmt: skip
        assert b"BEGIN CERTIFICATE" not in offered.stdout
        before = file.read_bytes()
        assert server.put(made).returncode == 0
        assert file.read_bytes() == before
        assert server.put(made, "renew").returncode == 0
        assert file.read_bytes() != before


def test_a_certificate_of_the_site_comes_with_its_key(server, port, tmp_path):
    tls_port = free_port()
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "9", "-subj", f"/CN={NAME}",
         "-addext", f"subjectAltName=DNS:{NAME}", "-keyout", tmp_path / "key", "-out", tmp_path / "crt"],
        check=True, capture_output=True,
    )  # fmt: skip
    key, certificate = (tmp_path / "key").read_text(), (tmp_path / "crt").read_text()
    base = {"server_names": [NAME], "port": None, "tls_port": tls_port, "status": None}
    server.runs(gateway({**base, "tls": {"certificate": certificate, "key": secret("key", key)}}, {}))
    trusting = ssl.create_default_context(cafile=str(tmp_path / "crt"))
    with speaking(tls_port, trusting, NAME) as client:
        assert client.version() in ("TLSv1.2", "TLSv1.3")
    modes = {path.name: path.stat().st_mode & 0o777 for path in (server.files / "phoenix-gateway").iterdir()}
    assert modes == {"gateway.conf": 0o600, "tls.crt": 0o600, "tls.key": 0o600}
    other = key.replace("A", "B", 1)
    ended = server.put(
        gateway({**base, "tls": {"certificate": certificate, "key": secret("key", other)}}, {})
    )
    assert (ended.returncode, "nginx does not take it" in ended.stderr) == (1, True)
    assert ask(tls_port, "/healthz", tls=True).status == 200


def test_files_that_do_not_parse_change_nothing_while_requests_flow(server, port):
    """Neither what nginx refuses nor what it takes costs a request."""
    with backend() as chat:
        serving = {"a/chat": Service("chat", chat.port), "d/ollama": Service("ollama", chat.port)}
        made = gateway({"server_names": [NAME], "port": port, "status": None}, serving)
        server.runs(made)
        over, seen = threading.Event(), []

        def flow():
            while not over.is_set():
                seen.append(ask(port, "/v1/models").status)

        people = [threading.Thread(target=flow) for _ in range(3)]
        for one in people:
            one.start()
        (server.files / "conf.d/theirs.conf").write_text("-\nserver { listen 1; }\n")
        changed = gateway({"server_names": [NAME, "x.org"], "port": port, "status": None}, serving)
        refused = server.put(changed)
        before = (server.files / "phoenix-gateway/gateway.conf").read_text()
        (server.files / "conf.d/theirs.conf").unlink()
        server.runs(changed)
        after = (server.files / "phoenix-gateway/gateway.conf").read_text()
        over.set()
        for one in people:
            one.join()
        assert refused.returncode == 1
        assert "the gateway is as it was: nginx does not take it" in refused.stderr
        assert 'unknown directive "-"' in refused.stderr
        assert ("x.org" in before, "x.org" in after) == (False, True)
        assert len(seen) > 10
        assert set(seen) == {200}
        left = [path.name for path in server.files.iterdir() if "try" in path.name]
        assert (left, len(list((server.files / "phoenix-gateway.sets").iterdir()))) == ([], 1)


def test_a_port_that_is_somebody_else_s_leaves_all_as_it_was(server, port):
    """nginx takes the files, and finds out only when it listens: it goes on with the old ones by itself."""
    settings = {"server_names": [NAME], "port": port, "status": None}
    server.runs(gateway(settings, {}))
    with socket.create_server(("127.0.0.1", 0)) as theirs:
        taken = {"port": theirs.getsockname()[1], "clients": ["127.0.0.1"]}
        ended = server.put(gateway({**settings, "status": taken}, {}))
    assert ended.returncode == 1
    assert "nginx does not work with it, and has the files before it again" in ended.stderr
    assert "Address already in use" in ended.stderr
    assert ask(port, "/healthz").status == 200
    assert "stub_status" not in (server.files / "phoenix-gateway/gateway.conf").read_text()


def test_half_a_set_changes_nothing(server, port):
    made = gateway({"server_names": [NAME], "port": port, "status": None}, {})
    server.runs(made)
    ended = server.run(["sh", str(server.here / "put.sh"), "put", "keep"], "file gateway.conf\nIyB4Cg==\n")
    assert (ended.returncode, "only in part" in ended.stderr) == (1, True)
    assert ask(port, "/healthz").status == 200


def test_the_site_of_the_distribution_goes_only_when_it_is_said_and_comes_back(server, port):
    shipped, enabled = server.files / "sites-available/default", server.files / "sites-enabled/default"
    shipped.write_text(f"server {{ listen {port} default_server; return 200 theirs; }}\n")
    enabled.symlink_to(shipped)
    settings = {"server_names": [NAME], "port": port, "status": None}
    server.runs(gateway(settings, {}))
    assert ask(port, "/").text == "theirs"
    server.runs(gateway({**settings, "replace_default_site": True}, {}))
    assert (enabled.exists(), ask(port, "/").status) == (False, 404)
    server.runs(gateway(settings, {}))
    assert os.readlink(enabled) == str(shipped)


def test_who_asks_too_often_is_told_to_wait(server, port):
    with backend() as chat:
        limit = {"per_second": 1, "burst": 1}
        server.runs(gateway(
            {"server_names": [NAME], "port": port, "status": None, "rate_limit": limit},
            {"a/chat": Service("chat", chat.port)},
        ))  # fmt: skip
        answers = [ask(port, "/v1/models") for _ in range(6)]
        busy = [one for one in answers if one.status == 429]
        assert [one.status for one in answers[:2]] == [200, 200]
        assert busy
        assert error_of(busy[0]) == (429, "rate_limited", "rate_limited", "application/json")
        assert busy[0].getheader("Retry-After") == "1"
        assert ask(port, "/healthz").status == 200


def test_its_numbers_are_for_those_who_are_named(server, port):
    first, second = free_ports(2)
    server.runs(gateway({"server_names": [NAME], "port": port, "status": {"port": first}}, {}))
    assert ask(first, "/stub_status").text.startswith("Active connections:")
    settings = {"server_names": [NAME], "port": port, "status": {"port": second, "clients": ["10.9.8.7"]}}
    made = gateway(settings, {})
    server.runs(made)
    assert ask(second, "/stub_status").status == 200
    assert "deny all" in made.files["gateway.conf"].reveal().decode()


def test_the_probe_tells_what_answers_and_what_does_not(server, port):
    """The very shell that the checks run on a host, with the same curl."""

    def chat(asked):
        if asked.path == "/v1/models":
            asked.say(200, {"data": [{"id": "small"}]})
            return
        asked.begin_stream()
        asked.send_chunk('data: {"choices": []}\n\n')
        asked.send_chunk("data: [DONE]\n\n")
        asked.send_chunk("")

    dead = free_port()
    token = "t" * 32
    with (
        backend(chat) as chatting,
        backend(lambda a: a.say(200, {"data": [{"embedding": [0.1] * 3}]})) as embed,
    ):
        made = gateway(
            {
                "server_names": [NAME],
                "port": port,
                "status": None,
                "tokens": {"probe": secret("token", token)},
            },
            {
                "a/chat": Service("chat", chatting.port, model="small"),
                "b/embed": Service("embeddings", embed.port, model="tiny", dimension=4),
                "c/qdrant": Service("vector-store", dead),
            },
        )
        server.runs(made)
        command = probing.command([request for _, request in made.requests], 20)
        ended = server.run(["sh", "-c", command], f'header = "Authorization: Bearer {token}"\n')
        assert (ended.returncode, ended.stderr) == (0, "")
        answers = probing.read(ended.stdout)
        found = {
            route.path: probing.verdict(route, a)
            for (route, _), a in zip(made.requests, answers, strict=True)
        }
        assert found == {
            "/v1/chat/completions": "answers",
            "/v1/completions": "answers",
            "/v1/models": "answers",
            "/v1/embeddings": f"b/embed (127.0.0.1:{embed.port}): its embeddings have 3 numbers, not 4",
            "/qdrant/": f"c/qdrant (127.0.0.1:{dead}) does not answer",
        }


def test_nginx_reads_every_text_as_it_was_written(server, port):
    signs = [chr(code) for code in (*range(32, 127), 0xE4, 0x1F600) if chr(code) != "$"] + [
        "\n",
        "\t",
        "\\",
        '"',
        "'",
    ]
    drawn = random.Random(7)
    texts = ["\\n", "\\\\", '"', "'", "{", "};", "# no", "a\\", '\\"', " x "]
    texts += ["".join(drawn.choices(signs, k=drawn.randint(1, 12))) for _ in range(150)]
    rows = [d("location", "=", f"/{n}", block=[d("return", 200, text)]) for n, text in enumerate(texts)]
    (server.files / "conf.d/texts.conf").write_text(write([d("server", block=[d("listen", port), *rows])]))
    assert server.run(["nginx"]).returncode == 0, server.errors()
    connection = connect(port)
    for number, text in enumerate(texts):
        connection.request("GET", f"/{number}")
        assert connection.getresponse().read().decode() == text
    connection.close()
