"""Programs of the lab run as plain processes on this machine's loopback, and asked over real sockets."""

import contextlib
import http.client
import json
import os
import subprocess
import sys
from pathlib import Path

import phoenix_hypervisor.lab

RUN = Path(phoenix_hypervisor.lab.__file__).parent / "programs/run.py"
CARD = {"PHOENIX_LAB_CARD_BYTES": str(16 << 30), "PHOENIX_LAB_TOKEN_SECONDS": "0"}
LONGEST = 120


def ended(*words, **environment):
    """Run a program that is to end: status, stdout, stderr."""
    found = subprocess.run(
        [sys.executable, "-I", "-S", RUN, *words],
        capture_output=True,
        text=True,
        timeout=LONGEST,
        env={"PATH": os.defpath, **CARD, **environment},
        check=False,
    )
    return found.returncode, found.stdout, found.stderr


@contextlib.contextmanager
def running(*words, **environment):
    """Run a program until it says that it runs, and kill it in the end."""
    reading, writing = os.pipe()
    environment = {"PATH": os.defpath, **CARD, "PHOENIX_LAB_READY": str(writing), **environment}
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", RUN, *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment,
        pass_fds=(writing,),
    )
    os.close(writing)
    try:
        assert os.read(reading, 1) == b"r", f"{words} ended before it was ready"
        yield process
    finally:
        os.close(reading)
        process.kill()
        process.wait()


def ask(port, method, path, told=None, **headers):
    """Ask, and return the status and what was answered, as JSON where it is that."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LONGEST)
    try:
        body = None if told is None else json.dumps(told)
        connection.request(
            method, path, body, {key.replace("_", "-"): value for key, value in headers.items()}
        )
        answer = connection.getresponse()
        text = answer.read().decode()
    finally:
        connection.close()
    try:
        return answer.status, json.loads(text)
    except ValueError:
        return answer.status, text


def asked_when_it_listens(port, *words, **headers):
    """Ask a program that listens some time after it was ready."""
    for _ in range(3000):
        try:
            return ask(port, *words, **headers)
        except ConnectionRefusedError:
            continue
    raise AssertionError(f"nothing listens on {port}")
