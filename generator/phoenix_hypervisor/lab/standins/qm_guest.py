"""`qm guest`: what the agent in a machine does for the node."""

import json
import sys

import guest_nets
import model
import qm_conf
import qm_formats
import qm_run
from guest_conf import Refused
from guest_options import Call

LIMIT = 1 << 20
"""Bytes that fit into what one command is given."""


def run(call: Call) -> int:
    verb = call.verb.removeprefix("guest ")
    return {"cmd": _command, "exec": _exec, "exec-status": _status, "passwd": _passwd}[verb](call)


def _exec(call: Call) -> int:
    data = b""
    if call.on("pass-stdin"):
        data = sys.stdin.buffer.read()
        if len(data) > LIMIT:
            raise Refused("'input-data' (STDIN) is limited to 1 MiB, aborting")
    if not call.extra:
        raise Refused("400 not enough arguments\nqm guest exec <vmid> [<extra-args>] [OPTIONS]\n")
    qm_run.refuse_silent(call.vmid)
    if call.values.get("synchronous") == "0":
        model.not_simulated("qm", ["guest exec", "--synchronous 0"])
    seconds = float(call.values.get("timeout", "30")) or None
    try:
        status, out, err = qm_run.inside(call.vmid, call.extra, data, seconds)
    except TimeoutError:
        print(json.dumps({"pid": 4242}, indent=3))
        return 0
    if status == 127 and b"Failed to exec" in err:
        text = f"Agent error: Guest agent command failed, error was 'Failed to execute child process “{call.extra[0]}” (No such file or directory)'"  # noqa: E501
        raise Refused(text)
    found: dict[str, object] = {"exitcode": status, "exited": 1}
    if status > 128:
        found = {"exited": 1, "signal": status - 128}
    found |= {"out-data": out.decode("latin-1")} if out else {}
    found |= {"err-data": err.decode("latin-1")} if err else {}
    sys.stdout.buffer.write(
        json.dumps(found, indent=3, sort_keys=True, ensure_ascii=False, separators=(",", " : ")).encode(
            "latin-1"
        )
        + b"\n"
    )
    return 0


def _status(call: Call) -> int:
    model.not_simulated("qm", ["guest exec-status", call.vmid])


def _passwd(call: Call) -> int:
    model.not_simulated("qm", ["guest passwd", call.vmid])


def _command(call: Call) -> int:
    qm_run.refuse_silent(call.vmid)
    _tell(call)
    return 0


def _tell(call: Call) -> None:
    """Print what a command gives; `ping` gives nothing."""
    command = call.values["command"]
    if command == "ping":
        return
    if command == "get-host-name":
        plan = qm_run.row(call.vmid)["plan"]
        print(json.dumps({"host-name": plan["hostname"]}, indent=3))  # type: ignore[index]
    elif command == "network-get-interfaces":
        print(json.dumps(_interfaces(call.vmid), indent=3, sort_keys=True))
    elif command == "fstrim":
        print(json.dumps({"paths": []}, indent=3))
    else:
        model.not_simulated("qm", ["guest cmd", command])


def _interfaces(vmid: str) -> list[dict[str, object]]:
    """The loopback, and a card for each interface, with its static addresses."""
    conf = qm_conf.load(vmid)
    found: list[dict[str, object]] = [_card("lo", "00:00:00:00:00:00", ["127.0.0.1/8"])]
    for key in sorted(key for key in conf.values if key.startswith("net") and key[3:].isdecimal()):
        net = qm_formats.parse(key, conf.values[key])
        own = qm_formats.parse(f"ipconfig{key[3:]}", conf.values.get(f"ipconfig{key[3:]}", ""))
        static = [own[name] for name in ("ip", "ip6") if "/" in own.get(name, "")]
        found.append(_card(f"eth{key[3:]}", net.get("macaddr", guest_nets.PREFIX).lower(), static))
    return found


def _card(name: str, mac: str, addresses: list[str]) -> dict[str, object]:
    rows = [
        {
            "ip-address": one.partition("/")[0],
            "ip-address-type": "ipv6" if ":" in one else "ipv4",
            "prefix": int(one.partition("/")[2]),
        }
        for one in addresses
    ]
    return {"hardware-address": mac, "ip-addresses": rows, "name": name}
