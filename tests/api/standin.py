"""A Proxmox API of somebody else's (fakepve), in a process of its own; no module of it is loaded here."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from phoenix_hypervisor.proxmox.endpoint import Endpoint, endpoint
from phoenix_hypervisor.secretstore.given import given

TOKEN_ID, VALUE = "phoenix@pve!look", "canary-4f7d2c9e"  # no secret: only ever on stand-ins of these tests
BUILDER, KEY = "root@pam!build", "canary-builds"
AUDITS = ("VM.Audit", "Datastore.Audit", "Sys.Audit")
SERVER = Path(__file__).with_name("standin_server.py")


def interpreter() -> str:
    """The Python that has fakepve: ours, or that of another environment on the PATH."""
    own = str(Path(sys.executable).parent)
    program = shutil.which("fakepve", path=os.pathsep.join([own, os.environ.get("PATH", "")]))
    return str(Path(program).with_name("python")) if program else ""


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that nobody has signed, and its key."""
    paths = folder / "api.crt", folder / "api.key"
    subject = ("-subj", "/CN=pve1", "-addext", "subjectAltName=IP:127.0.0.1")
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")
    files = ("-out", str(paths[0]), "-keyout", str(paths[1]))
    subprocess.run(["openssl", "req", "-x509", *curve, *subject, *files], check=True, capture_output=True)
    return paths


def missing() -> str:
    """What this machine lacks for a stand-in; empty for nothing."""
    if not interpreter():
        return "fakepve is not installed"
    return "" if shutil.which("openssl") else "openssl is not installed"


class Standin:
    """A cluster with the guests that are said. It ends with `close`, and with us."""

    def __init__(self, folder: Path, **said: Any) -> None:
        if why := missing():
            (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(why)
        self.certificate, key = certificate(folder)
        self._process = subprocess.Popen(
            [interpreter(), str(SERVER), str(self.certificate), str(key)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        usual = {
            "nodes": ["pve1"],
            "tokens": {TOKEN_ID: VALUE, BUILDER: KEY},
            "grants": [["phoenix@pve", "/", *AUDITS]],
            "guests": [],
            "storages": {},
        }
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps({**usual, **said}) + "\n")
        self._process.stdin.flush()
        self.url = f"https://127.0.0.1:{int(self._process.stdout.readline())}"

    def endpoint(self, **other: Any) -> Endpoint:
        """How it is reached as a reader."""
        known = {"ca_file": self.certificate, **other}
        value = known.pop("value", VALUE)
        return endpoint(self.url, TOKEN_ID, given(TOKEN_ID, value.encode()), **known)

    def post(self, path: str, **values: Any) -> None:
        """Change something on it, as an administrator."""
        import ssl
        import urllib.parse
        import urllib.request

        request = urllib.request.Request(
            f"{self.url}/api2/json/{path}",
            urllib.parse.urlencode(values).encode(),
            {"Authorization": f"PVEAPIToken={BUILDER}={KEY}"},
            method="PUT" if path.endswith("/options") else "POST",
        )
        context = ssl.create_default_context(cafile=str(self.certificate))
        urllib.request.urlopen(request, context=context, timeout=60).close()

    def close(self) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.wait(60)
        self._process.stdout.close()
