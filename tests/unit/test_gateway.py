"""The gateway: which path leads where, what nginx is told, and what is made of the answers."""

import base64
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from tests.unit.site_files import HOSTS, NODE, loaded, problems

from phoenix_hypervisor import registry
from phoenix_hypervisor.dialects import nginx_conf, x509
from phoenix_hypervisor.dialects.nginx_conf import d
from phoenix_hypervisor.firewall.ports import FACT, PORT, REACHES, Network, Port, Reach
from phoenix_hypervisor.gateway import certificate, conf, probing
from phoenix_hypervisor.resource import (
    CREATE,
    EVERY,
    REMOVE,
    Change,
    Difference,
    Given,
    GuestFacts,
    Ref,
    Refusal,
)
from phoenix_hypervisor.secrets import Secret
from phoenix_hypervisor.services import NGINX_NUMBERS, SERVICE, Service

CHAT, EMBED = Service("chat", 8000, model="small"), Service("embeddings", 8000, model="tiny", dimension=3)
ALL = {
    "chat/vllm": CHAT,
    "embed/vllm": EMBED,
    "store/qdrant": Service("vector-store", 6333, health="/healthz"),
    "models/ollama": Service("ollama", 11434),
    "ui/webui": Service("web", 8080, prefix="/webui/", health="/health"),
    "ui/numbers": Service("metrics", 9100),
}
ADDRESSES = {"chat": ("10.0.0.1",), "embed": ("10.0.0.2",), "store": ("10.0.0.3",), "models": ("10.0.0.4",),
             "ui": ("10.0.0.5", "fd00::5"), "six": ("fd00::6",), "moving": ()}  # fmt: skip
EXPECTED = Path(__file__).parent / "data" / "gateway.conf"


def gateway(services=None, layers=(), **declared):
    made = registry.kind("nginx_gateway").model_validate(
        {"name": "gate", "server_names": ["gate.example.org"], **declared}
    )
    facts = [
        Given("guest", name, GuestFacts(name, "900", "pve", "snapshot" if name in layers else None, ""), None)
        for name in ADDRESSES
    ]
    offers = [
        Given(
            SERVICE, name.partition("/")[2], service, Ref(name.partition("/")[0], "x", name.partition("/")[2])
        )
        for name, service in (ALL if services is None else services).items()
    ]
    made.bind([Given(*FACT, Network(ADDRESSES), None), *facts, *offers])
    return made


def routes(made):
    return {route.path: f"{route.backend.who} {route.backend.place}" for route in made.routing.routes}


def troubles(made):
    return [(".".join(one.attribute), one.said, one.hint) for one in made.routing.troubles]


def test_routes_follow_from_what_is_served():
    made = gateway()
    assert routes(made) == {
        "/v1/chat/completions": "chat/vllm 10.0.0.1:8000",
        "/v1/completions": "chat/vllm 10.0.0.1:8000",
        "/v1/models": "chat/vllm 10.0.0.1:8000",
        "/v1/embeddings": "embed/vllm 10.0.0.2:8000",
        "/qdrant/": "store/qdrant 10.0.0.3:6333",
        "/ollama/": "models/ollama 10.0.0.4:11434",
        "/webui/": "ui/webui 10.0.0.5:8080",
    }
    assert {route.path for route in made.routing.routes if route.strip} == {"/qdrant/", "/ollama/", "/webui/"}
    assert troubles(made) == []


def test_without_a_chat_the_models_are_those_of_the_embeddings():
    assert routes(gateway({"embed/vllm": EMBED}))["/v1/models"] == "embed/vllm 10.0.0.2:8000"


def test_what_is_served_beside_the_gateway_is_reached_on_the_loopback():
    assert routes(gateway({"gate/ollama": Service("ollama", 11434)})) == {
        "/ollama/": "gate/ollama 127.0.0.1:11434"
    }


def test_a_layer_serves_nobody():
    assert routes(gateway({"chat/vllm": CHAT, "embed/vllm": EMBED}, layers=["chat"])) == {
        "/v1/embeddings": "embed/vllm 10.0.0.2:8000",
        "/v1/models": "embed/vllm 10.0.0.2:8000",
    }


TWO = {"chat/vllm": CHAT, "ui/other": Service("chat", 8001)}


def test_where_several_could_answer_somebody_must_say_which():
    assert troubles(gateway(TWO)) == [(
        "routes",
        "`/v1/chat/completions` could lead to `chat/vllm` or `ui/other`",
        "say which: `routes: {/v1/chat/completions: {service: chat/vllm}}`, or `{off: true}`",
    )]  # fmt: skip


def test_what_belongs_to_a_chat_follows_it():
    made = gateway(TWO, routes={"/v1/chat/completions": {"service": "ui"}, "/v1/models": {"service": "chat"}})
    assert troubles(made) == []
    assert routes(made) == {
        "/v1/chat/completions": "ui/other 10.0.0.5:8001",
        "/v1/completions": "ui/other 10.0.0.5:8001",
        "/v1/models": "chat/vllm 10.0.0.1:8000",
    }


def test_a_chat_that_is_none_of_the_site_s_is_followed_by_nobody():
    made = gateway(TWO, routes={"/v1/chat/completions": {"url": "http://10.9.9.9:1"}})
    assert [said for _, said, _ in troubles(made)] == [
        "`/v1/completions` could lead to `chat/vllm` or `ui/other`",
        "`/v1/models` could lead to `chat/vllm` or `ui/other`",
    ]


def test_routes_are_added_changed_and_taken_away():
    made = gateway(
        routes={
            "/ollama/": {"off": True},
            "/webui/": {"service": "ui/webui", "strip": False},
            "/mine": {"url": "https://ui/deep/path/"},
            "/six/": {"url": "http://six:8080"},
            "/there/": {"url": "http://[fd00::9]:81/x"},
        }
    )
    found = {route.path: route for route in made.routing.routes}
    assert "/ollama/" not in found
    assert not found["/webui/"].strip
    text = made.files["gateway.conf"].reveal().decode()
    assert "location = /mine {" in text
    assert "proxy_pass https://phoenix_gateway_10.0.0.5_443/deep/path/mine;" in text
    assert "server [fd00::6]:8080;" in text
    assert "proxy_pass http://phoenix_gateway_fd00--9_81/x/;" in text


def test_what_leads_nowhere_is_said_with_where_it_is_declared():
    made = gateway(
        routes={
            "/a/": {"service": "chart/vllm"},
            "/b/": {"service": "ui"},
            "/c/": {"url": "http://nowhere:80"},
            "/d/": {"url": "http://moving:80"},
            "/e/": {"url": "http://ui:99999"},
        },
        names={"x.example.org": {"service": "lost"}},
        status={"clients": ["lan", "ui"]},
    )
    known = f"served on this site: {', '.join(sorted(ALL))}"
    assert troubles(made) == [
        ("routes./a/.service", "`/a/`: nothing called `chart/vllm` is served", known),
        ("routes./b/.service", "`ui` serves `ui/numbers` or `ui/webui`", known),
        ("routes./c/.url", "there is no guest or node `nowhere`: name one, or its address", ""),
        ("routes./d/.url", "`moving` has no static address", ""),
        ("routes./e/.url", "`http://ui:99999` is no URL", ""),
        ("names.x.example.org.service", "`/`: nothing called `lost` is served", known),
        ("status.clients", "`lan` has no address that nginx could know", "name it by one"),
    ]


def test_a_service_without_an_address_is_said():
    made = gateway({"moving/vllm": EMBED})
    said = "`moving` has no static address by which a gateway could reach `moving/vllm`"
    assert {trouble[1] for trouble in troubles(made)} == {said}


GATE = """\
nginx_gateway:
  server_names: [gate.example.org]
  routes:
    /app/: {url: "http://nobody:80"}
"""


def test_what_is_wrong_is_a_problem_of_the_site_at_its_place(tmp_path):
    said = problems(tmp_path, {HOSTS: "pve:\n", NODE: GATE})
    assert said == (
        "configs/nodes/pve.yaml:4:13: nginx_gateway:pve: there is no guest or node `nobody`: name one, "
        "or its address"
    )


def test_the_site_s_own_nodes_can_be_named(tmp_path):
    files = {
        HOSTS: "pve: {hostname: 10.0.0.9}\n",
        NODE: GATE.replace("nobody", "pve"),
    }
    (made,) = (one for ref, one in loaded(tmp_path, files).resources.items() if ref.kind == "nginx_gateway")
    assert routes(made) == {"/app/": "pve:80 127.0.0.1:80"}  # its own host


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        ({"server_names": []}, "needs `server_names`, or `replace_default_site: true`"),
        ({"port": None}, "without `port` it needs `tls`"),
        ({"tls_port": 80, "tls": {"self_signed_days": 90}}, "need a port each"),
        ({"routes": {"/healthz": {"off": True}}}, "is the gateway's own"),
        ({"routes": {"v1": {"off": True}}}, "should match pattern"),
        ({"routes": {"/a/../b": {"off": True}}}, "must be a path like"),
        ({"routes": {"/a$b": {"off": True}}}, "should match pattern"),
        ({"routes": {"/a/": {}}}, "needs one of `service`, `url` and `off: true`"),
        ({"routes": {"/a/": {"service": "x", "url": "http://x"}}}, "needs one of"),
        ({"routes": {"/a/": {"url": "http://x/$y"}}}, "should match pattern"),
        ({"server_names": ["a b"]}, "should match pattern"),
        ({"server_names": ["a;b"]}, "should match pattern"),
        ({"tls": {}}, "needs `certificate_file` and `key_file`"),
        ({"tls": {"certificate_file": "/a"}}, "needs `certificate_file` and `key_file`"),
        ({"tls": {"self_signed_days": 90, "key": Secret("x")}}, "needs `certificate_file` and `key_file`"),
        ({"tls": {"certificate": "no", "key": Secret("x")}}, "there is no certificate in PEM form"),
        ({"tls": {"certificate": Secret("x"), "key": "canary"}}, "a secret must be a reference"),
        ({"tokens": {"me": "canary"}}, "a secret must be a reference"),
        ({"log": "/var/log/$x"}, "nginx cannot be told"),
    ],
)  # fmt: skip
def test_what_is_refused(declared, said):
    with pytest.raises(ValidationError) as refused:
        gateway(**declared)
    assert said in str(refused.value)
    assert "canary" not in str(refused.value)


def test_who_may_come_and_whom_it_reaches_is_said_from_the_files_alone():
    made = registry.kind("nginx_gateway").model_validate({
        "name": "gate", "server_names": ["g"], "tls": {"self_signed_days": 90}, "clients": ["lan"],
        "status": {"clients": ["10.0.0.9"]}, "routes": {"/a/": {"url": "http://ui:9"}},
    })  # fmt: skip
    assert [(offer.topic, offer.key, offer.value) for offer in made.provides()] == [
        (PORT, "80/tcp", Port("80", "tcp", ("lan",))),
        (PORT, "443/tcp", Port("443", "tcp", ("lan",))),
        (PORT, "8081/tcp", Port("8081", "tcp", ("10.0.0.9",))),
        (NGINX_NUMBERS, "url", "http://127.0.0.1:8081/stub_status"),
        (REACHES, EVERY, Reach(EVERY)),
        (REACHES, "ui", Reach("9")),
    ]


def test_the_whole_configuration_of_a_small_gateway():
    made = gateway(
        {"chat/vllm": CHAT, "ui/webui": ALL["ui/webui"]},
        replace_default_site=True,
        tls={"self_signed_days": 90, "hsts_seconds": 60},
        tokens={"editor": Secret("gateway/editor")},
        routes={
            "/v1/completions": {"off": True},
            "/v1/models": {"service": "chat", "max_body": "1K", "read_seconds": 9},
        },
        names={"ui.example.org": {"service": "ui/webui"}},
        rate_limit={"per_second": 5},
        status={"port": 8082, "clients": ["models", "10.1.0.0/16"]},
    )  # fmt: skip
    text = made.files["gateway.conf"].reveal().decode()
    assert text == EXPECTED.read_text(encoding="utf-8")
    assert (
        str(made.files["tokens.map"])
        == conf.HEAD + '"~^(?i:Bearer) +\\Q<secret gateway/editor>\\E$" editor;\n'
    )


def test_who_has_no_token_to_ask_for_asks_for_none():
    text = gateway().files["gateway.conf"].reveal().decode()
    assert "tokens.map" not in text
    assert "return 401" not in text
    assert list(gateway().files) == ["gateway.conf"]


def change(**attributes):
    return Change({name: Difference(actual, "right") for name, actual in attributes.items()})


def told(made, found):
    return [
        step.reason if isinstance(step, Refusal) else (step.title, *step.arguments)
        for step in made.converge(found)
    ]


def test_what_is_done_about_what():
    put = "write /etc/nginx/conf.d/phoenix-gateway.conf, once nginx takes it; systemctl reload nginx"
    own = gateway(tls={"self_signed_days": 90})
    theirs = gateway(tls={"certificate_file": "/etc/ssl/a.crt", "key_file": "/etc/ssl/a.key"})
    assert told(own, CREATE) == [(put, "put", "keep")]
    assert told(own, change(certificate="ended")) == [(put, "put", "renew")]
    assert told(theirs, change(certificate="ended")) == [
        "the certificate in /etc/ssl/a.crt: ended; bring another one"
    ]
    assert told(theirs, change(loaded=True, active="inactive")) == [("systemctl reload-or-restart nginx",)]
    assert told(theirs, change(parses="[emerg] x")) == [
        "nginx cannot read its files: [emerg] x; it goes on with what it has read, and would not start again"
    ]
    assert told(theirs, change(parses="[emerg] x", **{"gateway.conf": "another one"})) == [
        (put, "put", "keep")
    ]
    assert [title for title, *_ in told(own, REMOVE)] == [
        "rm /etc/nginx/conf.d/phoenix-gateway.conf and its files; systemctl reload nginx"
    ]
    with_secret = gateway(tokens={"me": Secret("a/b")})
    assert "(with <secret a/b>)" in told(with_secret, CREATE)[0][0]
    assert list(own.heal("test_routes_answer")) == []


# --- what is made of answers --------------------------------------------------------------------------------

MADE = gateway()
ASKED = {route.path: (route, request) for route, request in MADE.requests}
CHATS, MODELS = "/v1/chat/completions", "/v1/models"
WHO = "chat/vllm (10.0.0.1:8000)"
STREAM = 'data: {"choices": [{"text": "a"}]}\n\ndata: [DONE]\n\n'


def test_each_route_is_tried_by_what_it_is_for():
    assert {path: request.argv[-1].rpartition("127.0.0.1")[2] for path, (_, request) in ASKED.items()} == {
        "/v1/chat/completions": ":80/v1/chat/completions",
        "/v1/completions": ":80/v1/completions",
        "/v1/models": ":80/v1/models",
        "/v1/embeddings": ":80/v1/embeddings",
        "/qdrant/": ":80/qdrant/collections",
        "/ollama/": ":80/ollama/api/tags",
        "/webui/": ":80/webui/health",
    }
    assert not any(request.token for _, request in ASKED.values())
    closed = gateway(tokens={"me": Secret("a/b")}).requests
    assert {route.path for route, request in closed if not request.token} == {"/webui/"}


@pytest.mark.parametrize(
    ("path", "answer", "said"),
    [
        (CHATS, (0, 200, {}, STREAM), "answers"),
        (CHATS, (0, 200, {}, STREAM[:40]), f"{WHO}: the stream ended early"),
        (CHATS, (0, 200, {}, "hello"), f"{WHO}: no stream: hello"),
        (CHATS, (0, 200, {}, "data: x"), f"{WHO}: not a stream of choices: data: x"),
        (CHATS, (0, 404, {}, '{"m": 1}'), WHO + ' says 404: {"m": 1}'),
        (CHATS, (28, 0, {}, ""), f"{WHO}: no answer in time"),
        (CHATS, (0, 503, {"x-gateway-error": "backend_unavailable"}, ""),
         f"{WHO} does not answer"),
        (CHATS, (0, 401, {"x-gateway-error": "unauthorized"}, ""), "the gateway refuses: unauthorized"),
        (CHATS, (7, 0, {}, "", "curl: (7) no"), "the gateway itself does not answer: curl: (7) no"),
        (MODELS, (0, 200, {}, '{"data": [{"id": "small"}]}'), "answers"),
        (MODELS, (0, 200, {}, '{"data": [{"id": "big"}]}'), f"{WHO}: it has big, not small"),
        (MODELS, (0, 200, {}, "<p>"), f"{WHO}: not what the API answers: <p>"),
        ("/v1/embeddings", (0, 200, {}, '{"data": [{"embedding": [1, 2, 3]}]}'), "answers"),
        ("/v1/embeddings", (0, 200, {}, '{"data": [{"embedding": [1]}]}'),
         "embed/vllm (10.0.0.2:8000): its embeddings have 1 numbers, not 3"),
        ("/webui/", (0, 302, {}, ""), "answers"),
        ("/webui/", (0, 404, {}, ""), "answers"),
        ("/webui/", (0, 500, {}, ""), "ui/webui (10.0.0.5:8080) says 500: nothing"),
        ("/qdrant/", (0, 404, {}, ""), "store/qdrant (10.0.0.3:6333) says 404: nothing"),
    ],
)  # fmt: skip
def test_what_an_answer_says_of_its_route(path, answer, said):
    assert probing.verdict(ASKED[path][0], probing.Answer(*answer)) == said


def test_answers_are_read_as_the_shell_tells_them():
    said = "\0360\n\035HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nX-A: b: c\r\n\r\n\035body\n"
    said += "\0367\ncurl: (7) no\n\035\035"
    assert probing.read(said) == [
        probing.Answer(0, 200, {"x-a": "b: c"}, "body\n"),
        probing.Answer(7, 0, {}, "", "curl: (7) no"),
    ]


# --- nginx's language ---------------------------------------------------------------------------------------

WORDS = st.text(
    st.characters(exclude_characters="$\0", exclude_categories=["Cs", "Cc"]) | st.sampled_from("\n\t\r")
)
DIRECTIVES = st.recursive(
    st.builds(lambda name, more: d(name or "x", *more), WORDS, st.lists(WORDS, max_size=3)),
    lambda below: st.builds(
        lambda name, block: d(name or "x", block=block), WORDS, st.lists(below, max_size=3)
    ),
    max_leaves=8,
)


@settings(deadline=None)
@given(st.lists(DIRECTIVES, max_size=4))
def test_what_is_written_is_read_back(directives):
    written = nginx_conf.write(directives)
    assert nginx_conf.parse(written) == tuple(directives)


@given(st.text())
def test_a_text_is_written_as_itself_or_refused(text):
    try:
        literal = nginx_conf.literal(text)
    except ValueError:
        return
    (found,) = nginx_conf.parse(f"x {nginx_conf.word(literal)};")
    assert found.arguments == (text,)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a b\n}", "line 2: unexpected `}`"),
        ("a {\n b c;\n", "the file ends within a directive or a block"),
        ('a "b', "line 1: a quotation mark is not closed"),
        ('a "b"c;', "line 1: unexpected `c` behind a quotation mark"),
        ("\n;", "line 2: unexpected `;`"),
    ],
)
def test_what_is_no_configuration_is_said_with_its_line(text, said):
    with pytest.raises(ValueError, match="^" + said.replace("(", r"\(")):
        nginx_conf.parse(text)


def test_a_configuration_of_somebody_else_s():
    text = "# c\nuser a; # d\nhttp{ map $a $b{ 'x y' \"${c}d\"; ~^/x$ 1; } }\n"
    assert nginx_conf.parse(text) == (
        d("user", "a"),
        d("http", block=[d("map", "$a", "$b", block=[d("x y", "${c}d"), d("~^/x$", "1")])]),
    )


# --- certificates -------------------------------------------------------------------------------------------

NAMED = Path(__file__).with_name("data") / "certificate-names.pem"
SUBJECT = Path(__file__).with_name("data") / "certificate-subject.pem"
BEGINS = x509.read(NAMED.read_text()).begins.timestamp()
DAY = 86400


def test_a_certificate_is_read_without_any_tool():
    found = x509.read("what stands before it\n" + NAMED.read_text())
    assert (found.ends - found.begins).days == 30
    assert found.names == {"gate.example.org", "*.apps.example.org", "10.0.0.9", "fd00::9"}
    assert found.self_signed
    one = x509.read(SUBJECT.read_text())
    assert (one.names, one.ends.year) == ({"only.example.org"}, 2109)
    asked = (
        "GATE.example.org",
        "x.apps.example.org",
        "10.0.0.9",
        "x.y.apps.example.org",
        "apps.example.org",
        "x",
    )
    assert [found.covers(name) for name in asked] == [True, True, True, False, False, False]


@pytest.mark.parametrize("wrong", ["", "no", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"])
def test_what_is_no_certificate(wrong):
    with pytest.raises(ValueError, match=r"no certificate in PEM form|cannot be read"):
        x509.read(wrong)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_certificate_or_none(der):
    text = f"-----BEGIN CERTIFICATE-----\n{base64.b64encode(der).decode()}\n-----END CERTIFICATE-----\n"
    with pytest.raises(ValueError, match="certificate"):
        x509.read(text)


@pytest.mark.parametrize(
    ("days", "names", "own", "said"),
    [
        (1, ["gate.example.org", "10.0.0.9"], None, "holds"),
        (25, ["gate.example.org"], None, "holds"),
        (25, ["gate.example.org"], 30, "ends on {:%Y-%m-%d}: a third of its time is left"),
        (15, ["gate.example.org"], 30, "holds"),
        (31, ["gate.example.org"], None, "ended on {:%Y-%m-%d}"),
        (1, ["other.example.org", "fd00::9"], None, "is not for other.example.org"),
        (-1, ["gate.example.org"], None, "begins only on {begins:%Y-%m-%d}: is the host's clock right?"),
    ],
)
def test_what_a_certificate_does_for_a_gateway(days, names, own, said):
    found = x509.read(NAMED.read_text())
    told = certificate.standing(NAMED.read_text(), BEGINS + days * DAY, names, own)
    assert told == said.format(found.ends, begins=found.begins)


def test_a_certificate_that_is_not_there():
    assert certificate.standing("", BEGINS, ["x"], None) == "there is none"
    assert certificate.subject_names(["a.example.org", "10.0.0.9", "fd00::9"]) == (
        "DNS:a.example.org,IP:10.0.0.9,IP:fd00::9"
    )
