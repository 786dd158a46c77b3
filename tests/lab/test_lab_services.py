"""Software in guests of lab nodes: it really runs, on networks that lead there, and fails as it would."""

import functools
import subprocess
import tempfile
from pathlib import Path

import pytest
from tests.copies import note_owners_anew

from phoenix_hypervisor.errors import PhoenixError
from phoenix_hypervisor.lab import sandbox
from phoenix_hypervisor.lab.faults import Faults, Sort
from phoenix_hypervisor.lab.node import Disk, Gpu, LabNode

TEMPLATE = "debian-12-standard_12.12-1_amd64.tar.zst"
SETUP = f"""\
set -e
zpool create tank /dev/sda
pvesm add zfspool tank --pool tank --content images,rootdir
pveam update >/dev/null
pveam download local {TEMPLATE}
nvidia-smi -L
for number in 0 1; do
    pct create 10$number local:vztmpl/{TEMPLATE} --hostname web$number --unprivileged 1 --rootfs tank:2 \
        --memory 128 --net0 name=eth0,bridge=vmbr0,ip=10.0.0.5$number/24,gw=10.0.0.1 --dev0 /dev/nvidia0
    pct start 10$number
done
"""
PRELUDE = r"""
set -u
on() { lxc-attach -n "$1" --clear-env -- /bin/sh -c "$2"; }
program() { # a program of the lab below /opt of a guest
    on "$1" "mkdir -p /opt/bin; printf '#!/bin/sh\nexec /usr/local/sbin/lab-program $2 \"\$@\"\n' >/opt/bin/$2
        chmod 755 /opt/bin/$2"
}
unit() { # NAME.service in a guest, with a command and more lines
    on "$1" "printf '%s\n' '[Unit]' 'Description=$2 of a test' '[Service]' 'ExecStart=$3' '${4-}' \
        '[Install]' WantedBy=multi-user.target >/etc/systemd/system/$2.service; systemctl daemon-reload"
}
until_it_is() { # a guest's unit
    for try in $(seq 200); do
        [ "$(on "$1" "systemctl is-active $2")" != "$3" ] || return 0
        sleep 0.02
    done
    echo "it never is $3"
}
code() { curl -sS -m 100 -o /dev/null -w '%{http_code}\n' "$@"; }
"""
SMALL = "facebook/opt-125m --gpu-memory-utilization 0.3"


@functools.cache
def ways():
    with tempfile.TemporaryDirectory() as folder:
        node = LabNode(Path(folder, "node"))
        node.up("probe", ())
        layout = node._layout()
        return [way for way in sandbox.WAYS if sandbox.why_not(layout, way) is None] or [None]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    node = LabNode(tmp_path_factory.mktemp("services") / "pve1")
    gpus = (Gpu("0000:01:00.0", "Sample", 16 << 30),)
    node.up("pve1", (Disk("ata-LAB_1", 64 << 30),), "10.0.0.2", gpus)
    try:
        ended = node.run(SETUP)
    except PhoenixError as error:
        pytest.skip(f"this machine does not let us make a lab: {error}")
    assert ended.status == 0, ended
    return node


@pytest.fixture
def node(made, tmp_path):
    """A node with two guests that run and share a card, 100 and 101."""
    subprocess.run(["cp", "-a", made.folder, tmp_path / "pve1"], check=True)
    copied = LabNode(tmp_path / "pve1")
    note_owners_anew(made.root, copied.root)
    return copied


def said(node, script):
    """What a script says on a connection of its own, stderr behind stdout."""
    ended = node.run(f"{PRELUDE}\n{{\n{script}\n}} 2>&1")
    assert ended.status == 0, ended
    return ended.stdout.decode()


@pytest.mark.parametrize("way", ways())
def test_each_guest_has_a_network_and_ports_of_its_own(node, way, monkeypatch):
    monkeypatch.setenv(sandbox.CHOICE, way)
    monkeypatch.setattr(sandbox, "_found", [])
    found = said(
        node,
        f"""
        for guest in 100 101; do
            program $guest vllm
            unit $guest chat '/opt/bin/vllm serve {SMALL} --served-model-name of-'$guest
            on $guest 'systemctl enable --now -q chat; systemctl is-active chat'
        done
        names() {{ sed 's/.*"id":"\\(of-[0-9]*\\)".*/\\1/'; echo; }}
        curl -sS http://10.0.0.50:8000/v1/models | names
        on 100 'curl -sS http://10.0.0.51:8000/v1/models; curl -sS http://web0:8000/v1/models' |
            tr '}}' '\\n' | grep -o '"of-[^"]*"' | sort -u
        on 101 'curl -sS http://127.0.0.1:8000/v1/models' | names
        on 100 'ss -ltnH' | awk '{{print $4}}'
        code http://127.0.0.1:8000/
        pct stop 101
        code http://10.0.0.51:8000/health
        code http://10.0.0.50:8000/health
        """,
    )
    refused = "curl: (7) Failed to connect to {} port 8000 after N ms: Couldn't connect to server"
    lines = [
        " ".join(
            "N" if word.isdigit() and before == "after" else word
            for before, word in zip(["", *line.split(" ")], line.split(" "), strict=False)
        )
        for line in found.splitlines()
        if line
    ]
    assert lines == [
        "active", "active", "of-100", '"of-100"', '"of-101"', "of-101", "0.0.0.0:8000",
        refused.format("127.0.0.1"), "000", refused.format("10.0.0.51"), "000", "200",
    ]  # fmt: skip


def test_what_runs_runs_in_the_next_connection_too_and_data_stay(node):
    first = said(
        node,
        """
        program 100 qdrant
        unit 100 qdrant /opt/bin/qdrant 'Environment=QDRANT__STORAGE__STORAGE_PATH=/srv/points'
        on 100 'systemctl enable --now -q qdrant'
        there=http://10.0.0.50:6333/collections/notes
        curl -sS -X PUT $there -d '{"vectors":{"size":2,"distance":"Dot"}}' >/dev/null
        code -X PUT "$there/points?wait=true" -d '{"points":[{"id":7,"vector":[1,2],"payload":{"a":"b"}}]}'
        """,
    )
    asked = (
        'curl -sS http://10.0.0.50:6333/collections/notes/points/7 | sed \'s/.*"id"/"id"/; s/},.*//\'; echo'
    )
    assert first == "200\n"
    assert said(node, asked) == '"id":7,"payload":{"a":"b"\n'
    again = f"pct stop 100; pct start 100; on 100 'systemctl is-active qdrant'; {asked}"
    assert said(node, again) == 'active\n"id":7,"payload":{"a":"b"\n'


def test_a_wrong_flag_is_told_by_systemd_and_in_the_journal(node):
    found = said(
        node,
        """
        program 100 vllm
        unit 100 chat '/opt/bin/vllm serve facebook/opt-125m --gpu-share 1' Type=exec
        on 100 'systemctl start chat; echo $?; systemctl is-active chat; journalctl -u chat -o cat'
        unit 100 simple '/opt/bin/vllm serve facebook/opt-125m --gpu-share 1'
        on 100 'systemctl start simple; echo $?; systemctl show simple -p Result,ActiveState,ExecMainStatus'
        unit 100 gone /opt/bin/nothing Type=exec
        on 100 'systemctl start gone; echo $?; journalctl -u gone -o cat'
        """,
    )
    job = (
        "Job for {0}.service failed because the control process exited with error code.\n"
        'See "systemctl status {0}.service" and "journalctl -xeu {0}.service" for details.\n1\n'
    )
    assert found == (
        "0\nfailed\nStarted chat.service - chat of a test.\n"
        "usage: vllm serve [-h] [options]\nvllm: error: unrecognized arguments: --gpu-share 1\n"
        "chat.service: Main process exited, code=exited, status=2/INVALIDARGUMENT\n"
        "chat.service: Failed with result 'exit-code'.\n"
        "0\nResult=exit-code\nExecMainStatus=2\nActiveState=failed\n" + job.format("gone") + ""
        "gone.service: Failed at step EXEC spawning /opt/bin/nothing: No such file or directory\n"
        "gone.service: Main process exited, code=exited, status=203/EXEC\n"
        "gone.service: Failed with result 'exit-code'.\nFailed to start gone.service - gone of a test.\n"
    )


def test_a_program_is_started_again_as_the_unit_says_and_not_too_often(node):
    found = said(
        node,
        """
        on 100 'cat >/opt/short; chmod 755 /opt/short' <<'X'
#!/bin/sh
exit 3
X
        printf '%s\\n' '[Service]' Restart=on-failure RestartSec=10ms StartLimitBurst=2 ExecStart=/opt/short |
            on 100 'cat >/etc/systemd/system/short.service; systemctl start short'
        until_it_is 100 short failed
        on 100 'systemctl show short -p NRestarts,Result; journalctl -u short -o cat | tail -n 2'
        """,
    )
    assert found == (
        "Result=exit-code\nNRestarts=2\nshort.service: Failed with result 'exit-code'.\n"
        "Failed to start short.service.\n"
    )


def test_a_port_and_a_card_are_not_given_twice(node):
    found = said(
        node,
        f"""
        for guest in 100 101; do program $guest vllm; done
        unit 100 chat '/opt/bin/vllm serve {SMALL}'
        unit 100 other '/opt/bin/vllm serve {SMALL}'
        unit 101 large '/opt/bin/vllm serve facebook/opt-125m --gpu-memory-utilization 0.8'
        on 100 'systemctl start chat other; systemctl is-active chat other'
        on 100 'journalctl -u other -o cat | grep Errno'
        on 101 'systemctl start large; systemctl is-active large; journalctl -u large -o cat | grep ^Value'
        on 100 'systemctl stop chat'
        on 101 'systemctl start large; systemctl is-active large'
        """,
    )
    assert found == (
        "active\nfailed\nOSError: [Errno 98] Address already in use\nfailed\n"
        "ValueError: Free memory on device (11.08/16 GiB) on startup is less than desired GPU memory "
        "utilization (0.8, 12.8 GiB). Decrease GPU memory utilization or reduce GPU memory used by other "
        "processes.\nactive\n"
    )


def test_a_guest_that_starts_with_a_broken_program_says_so_when_somebody_looks(node):
    found = said(
        node,
        f"""
        program 100 vllm
        unit 100 chat '/opt/bin/vllm serve {SMALL}'
        on 100 'systemctl enable --now -q chat; systemctl is-active chat'
        on 100 'rm /opt/bin/vllm; systemctl is-active chat'
        code http://10.0.0.50:8000/health
        program 100 vllm
        on 100 'sed -i s/opt-125m/nothing/ /etc/systemd/system/chat.service'
        pct stop 100; pct start 100
        on 100 'systemctl is-active chat' || :
        """,
    )
    refused = "curl: (7) Failed to connect to 10.0.0.50 port 8000 after 0 ms: Couldn't connect to server"
    assert found == f"active\nfailed\n{refused}\n000\nfailed\n"


def test_the_cable_of_an_earlier_start_is_not_taken_for_the_new_one(node):
    """The kernel removes it with the namespace at its other end, which it does in its own time."""
    old = "import netlink, os; kernel = netlink.Kernel(); kernel.bridge('vmbr0'); "
    old += "kernel.cable('veth100i0', 'vmbr0', os.getpid(), 'old')"
    found = said(
        node,
        f"""
        PYTHONPATH=/run/phoenix-lab python3 -c "{old}"
        program 100 vllm
        unit 100 chat '/opt/bin/vllm serve {SMALL}'
        on 100 'systemctl enable --now -q chat'
        code http://10.0.0.50:8000/health
        """,
    )
    assert found == "200\n"


def test_settings_of_a_unit_reach_its_program(node):
    found = said(
        node,
        """
        on 100 'mkdir -p /srv/here; echo "TOKEN=\\"a b\\"" >/etc/it.env'
        on 100 'cat >/opt/it; chmod 755 /opt/it' <<'X'
#!/bin/sh
trap 'echo reloaded' HUP
echo "$PWD $TOKEN $WORD $*"
while :; do sleep 0.01; done
X
        on 100 'cat >/etc/systemd/system/it@.service; systemctl start it@one' <<'X'
[Service]
Environment="WORD=c d" UNUSED=1
EnvironmentFile=/etc/it.env
EnvironmentFile=-/etc/nothing.env
WorkingDirectory=/srv/here
ExecStart=/opt/it %i $WORD "${WORD}" 100%%
ExecReload=/bin/kill -HUP $MAINPID
X
        on 100 'systemctl reload it@one'
        for try in $(seq 200); do
            ! on 100 'journalctl -u it@one -o cat' | grep -q reloaded || break
            sleep 0.02
        done
        on 100 'journalctl -u it@one -o cat; systemctl stop it@one; journalctl -u it@one -o cat -n 1'
        """,
    )
    assert found == (
        "Started it@one.service.\n/srv/here a b c d one c d c d 100%\nreloaded\n"
        "it@one.service: Deactivated successfully.\n"
    )


def test_a_daemon_that_leaves_its_first_process(node):
    found = said(
        node,
        """
        on 100 'cat >/opt/daemon; chmod 755 /opt/daemon' <<'X'
#!/bin/sh
{ echo runs; while :; do sleep 0.01; done; } &
X
        unit 100 daemon /opt/daemon Type=forking
        on 100 'systemctl start daemon; systemctl is-active daemon; lab-look; systemctl is-active daemon'
        on 100 'systemctl stop daemon; systemctl is-active daemon || journalctl -u daemon -o cat'
        """,
    )
    start, stop = (
        "Started daemon.service - daemon of a test.\n",
        "daemon.service: Deactivated successfully.\n",
    )
    assert sorted(found.splitlines()) == sorted(f"active\nactive\ninactive\nruns\n{start}{stop}".splitlines())


def test_nginx_takes_new_files_and_goes_on_with_the_old_when_they_are_bad(node):
    found = said(
        node,
        """
        page() {
            on 100 "echo 'server { listen 8081; location / { return 200 $1; } }' >/etc/nginx/conf.d/a.conf"
        }
        answers() {
            for try in $(seq 200); do
                [ "$(curl -s http://10.0.0.50:8081/)" != "$1" ] || { echo "$1"; return; }
                sleep 0.02
            done
        }
        on 100 'apt-get update >/dev/null; apt-get install -y nginx >/dev/null'
        page one; on 100 'systemctl restart nginx'; answers one
        page two; on 100 'systemctl reload nginx; echo $?'; answers two
        page 'three; bad'; on 100 'systemctl reload nginx 2>/dev/null; echo $?'; answers two
        on 100 'systemctl is-active nginx; systemctl restart nginx 2>/dev/null; echo $?'
        on 100 'systemctl is-active nginx' || :
        """,
    )
    assert found.split() == ["one", "0", "two", "1", "two", "active", "1", "failed"]


def test_faults_of_services(node):
    faults = Faults(node.folder)
    faults.set(Sort.DIES, detail="chat")
    start = f"""
        program 100 vllm
        unit 100 chat '/opt/bin/vllm serve {SMALL}' Environment=HF_HOME=/srv/hub
        on 100 'systemctl start chat'
        """
    assert (
        said(node, start + "until_it_is 100 chat failed; on 100 'systemctl show chat -p Result'")
        == "Result=signal\n"
    )
    faults.clear()
    faults.set(Sort.HANGS, detail="100/chat.service")
    hangs = start + "on 100 'systemctl is-active chat; curl -s -m 5 127.0.0.1:8000/health || echo $?'"
    assert said(node, hangs) == "active\n7\n"
    faults.clear()
    faults.set(Sort.LOADS, 3600)
    assert said(node, "on 100 'systemctl restart chat'; " + hangs) == "active\n7\n"
    faults.clear()
    assert said(node, "on 100 'curl -s -o /dev/null -w %{http_code} 127.0.0.1:8000/health'") == "200"
    faults.set(Sort.OFFLINE, detail="100")
    offline = said(
        node,
        start + "on 100 'systemctl is-active chat; rm -r /srv/hub; systemctl restart chat'\n"
        "on 100 'systemctl is-active chat'\n"
        "on 100 'journalctl -u chat -o cat | grep OSError; curl -sS http://example.org/; echo $?'",
    )
    assert offline == (
        "active\nfailed\nOSError: We couldn't connect to 'https://huggingface.co' to load the files, and "
        "couldn't find them in the cached files.\ncurl: (6) Could not resolve host: example.org\n6\n"
    )
