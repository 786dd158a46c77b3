"""The lab's curl on a machine that has none, asked for what checks and scripts ask the real one for."""

import subprocess
import sys
from pathlib import Path

import pytest
from tests.ports import free_port
from tests.unit.programs_running import running

import phoenix_hypervisor.lab

STANDINS = Path(phoenix_hypervisor.lab.__file__).parent / "standins"
CODE = (
    "import sys; sys.path.insert(0, sys.argv[1]); import curl_plain; sys.exit(curl_plain.main(sys.argv[2:]))"
)


def curl(*words, stdin=""):
    argv = [sys.executable, "-I", "-S", "-c", CODE, str(STANDINS), *words]
    ended = subprocess.run(argv, capture_output=True, text=True, input=stdin, timeout=30, check=False)
    return ended.returncode, ended.stdout, ended.stderr


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    port = free_port()
    settings = {"QDRANT__SERVICE__HTTP_PORT": str(port), "QDRANT__SERVICE__GRPC_PORT": str(free_port())}
    settings |= {"QDRANT__SERVICE__HOST": "127.0.0.1", "QDRANT__SERVICE__API_KEY": "key"}
    folder = tmp_path_factory.mktemp("points")
    with running("qdrant", **settings, QDRANT__STORAGE__STORAGE_PATH=str(folder)):
        yield f"http://127.0.0.1:{port}"


def test_what_is_sent_and_what_is_written(address, tmp_path):
    said = tmp_path / "said"
    put = ("-X", "PUT", "-H", "api-key: key", "-d", '{"vectors":{"size":2,"distance":"Dot"}}')
    done = curl("-sS", "-o", str(said), "-w", "%{http_code}\\n", *put, f"{address}/collections/one")
    assert done == (0, "200\n", "")
    assert said.read_text().startswith('{"result":true,"status":"ok"')
    told = curl(
        "-sS", "-m", "20", "-K", "-", f"{address}/collections/one/exists", stdin='header = "api-key: key"\n'
    )
    assert (told[0], '"exists":true' in told[1], told[2]) == (0, True, "")
    body = curl(
        "-s", "--json", "@-", "-H", "api-key: key", f"{address}/collections/one/points/count", stdin="{}"
    )
    assert (body[0], '"count":0' in body[1]) == (0, True)
    assert curl("-sI", f"{address}/healthz")[1].splitlines()[0] == "HTTP/1.1 200 OK"


def test_how_it_fails(address):
    assert curl("-fsS", f"{address}/collections")[::2] == (
        22,
        "curl: (22) The requested URL returned error: 401\n",
    )
    status, out, _ = curl("-s", "--fail-with-body", f"{address}/collections")
    assert (status, out) == (22, "Must provide an API key or an Authorization bearer token")
    status, out, err = curl("-sS", "-w", "%{http_code}", f"http://127.0.0.1:{free_port()}/")
    assert (status, out, err.startswith("curl: (7) Failed to connect to 127.0.0.1 port ")) == (7, "000", True)
    assert curl("-s", "http://nothing.invalid/")[::2] == (6, "")
    assert curl("--upload-file", "x", address)[::2] == (
        70,
        f"curl: not simulated: --upload-file x {address}\n",
    )
