"""nginx, where the machine has one; else the lab's runs instead (programs/program_nginx.py).

The real one runs as the only user there is: it is given a copy of its main file that names no other.
"""

import os
import re
import subprocess
import sys
import time

REAL = "/usr/sbin/nginx"
MAIN = "/etc/nginx/nginx.conf"
PID = "/run/nginx.pid"
READY = "PHOENIX_LAB_READY"
LONGEST = 15.0


def main(argv: list[str]) -> int:
    words = list(argv)
    path = MAIN
    if "-c" in words[:-1]:
        at = words.index("-c")
        path = words[at + 1]
        del words[at : at + 2]
    copy = f"{os.path.dirname(path)}/.lab-{os.path.basename(path)}"
    if words and words[0] in ("-v", "-V"):
        os.execv(REAL, ["nginx", *words])  # noqa: S606 - this process becomes the real tool
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except OSError as error:
        print(f'nginx: [emerg] open() "{path}" failed ({error.errno}: {error.strerror})', file=sys.stderr)
        return 1
    text = re.sub(r"^[ \t]*user\s[^;]*;", "user root root;", text, flags=re.MULTILINE)
    if "-t" in words or "-s" in words:
        copy += f".{os.getpid()}"
    with open(copy, "w", encoding="utf-8") as file:
        file.write(text)
    if "-t" in words or "-s" in words:
        try:
            return _tell(
                subprocess.run([REAL, *words, "-c", copy], capture_output=True, check=False), copy, path
            )
        finally:
            os.unlink(copy)
    _say_when_it_runs()
    os.execv(REAL, ["nginx", *words, "-c", copy])  # noqa: S606 - this process becomes the real tool
    return 1


def _tell(ended: "subprocess.CompletedProcess[bytes]", copy: str, path: str) -> int:
    """Say what it said, of the file that it was asked about."""
    sys.stdout.buffer.write(ended.stdout)
    for line in ended.stderr.decode(errors="replace").splitlines():
        if "initgroups" not in line:  # there are no groups to be had
            print(line.replace(copy, path), file=sys.stderr)
    return ended.returncode


def _say_when_it_runs() -> None:
    """Leave a process behind that tells who started us when nginx has its addresses."""
    number = os.environ.pop(READY, "")
    if os.path.exists(PID):
        os.unlink(PID)
    if not number.isdecimal() or os.fork() > 0:
        if number.isdecimal():
            os.close(int(number))
        return
    end = time.monotonic() + LONGEST
    while time.monotonic() < end and os.getppid() > 1:
        if os.path.exists(PID) and os.path.getsize(PID):
            os.write(int(number), b"r")
            break
        time.sleep(0.01)
    os._exit(0)
