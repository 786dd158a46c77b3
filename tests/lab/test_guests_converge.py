"""The reference site's ten containers: made from nothing, side by side, and then at rest."""

import itertools
import json
import shlex

import pytest
from tests.lab.running import PASSWORD

LAYERS = (900, 901, 902, 920)
WORKLOADS = (950, 951, 952, 953, 955, 960)
CLOCKS = 0.05
"""When a step began is told by another clock than how long it took."""
CLONED_FROM = {901: 900, 902: 900, 953: 900, 920: 901, 955: 901, 960: 900, 950: 920, 951: 920, 952: 902}


def conf(site, vmid):
    return (site.node.root / f"etc/pve/nodes/phoenix/lxc/{vmid}.conf").read_text()


@pytest.fixture
def made(demonstrated):
    """When each container was being made: VMID → began, ended."""
    return {
        int(step["resource"].partition("lxc:")[2]): (step["began"], step["began"] + step["seconds"])
        for step in demonstrated.steps
        if step["title"].startswith(("pct create", "pct clone"))
    }


def test_all_ten_are_there_the_layers_sealed_and_the_workloads_running(whole_converged):
    running = {int(vmid) for vmid in whole_converged.on_node("lxc-ls --running -1").split()}
    assert running == set(WORKLOADS)
    assert all("[phoenix_layer]\n#phoenix " in conf(whole_converged, vmid) for vmid in LAYERS)
    assert all(
        "phoenix" in conf(whole_converged, vmid).partition("tags: ")[2].split("\n")[0] for vmid in running
    )
    notes = {
        vmid: (whole_converged.node.root / f"var/lib/phoenix/made/lxc/{vmid}").read_text().split()[1]
        for vmid in CLONED_FROM
    }
    assert notes == {vmid: str(layer) for vmid, layer in CLONED_FROM.items()}
    chat = whole_converged.on_node(
        "lxc-attach -n 950 --clear-env -- /bin/sh -c 'cat /etc/vllm/environment; ls -d /models'"
    )
    assert "/models" in chat


def test_the_desktop_works_and_is_told_when_it_does_not(whole_converged):
    def inside(command):
        said = whole_converged.on_node(f"qm guest exec 8001 -- sh -c {shlex.quote(command)}")
        return json.loads(said).get("out-data", "")

    asked = "curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1:8888/api"
    assert inside("curl -s http://127.0.0.1:8888/api") == '{"version":"2.21.1"}'
    known = f"{asked}/kernels -H {shlex.quote(f'Authorization: token {PASSWORD}')}"
    assert inside(f"{asked}/kernels; {known}") == "403200"
    assert inside("stat -c '%a %U' /etc/jupyter/jupyter_server_config.json") == "600 admin\n"
    assert PASSWORD not in inside("cat /etc/systemd/system/jupyter.service; systemctl show jupyter")
    assert inside("systemctl is-active graphical.target xrdp jupyter") == "active\n" * 3
    assert inside("/opt/ml/bin/python -c 'import torch; print(torch.__version__)'") == "2.8.0\n"
    inside("rm -r /opt/ml/lib/python3.12/site-packages/torch")
    ran = whole_converged.run("verify", "-q", "-k", "imports and ml")
    assert ran.status == 1
    assert "ModuleNotFoundError: No module named 'torch'" in ran.out


LOGGED = """\
logger -t test from the node
lxc-attach -n 953 --clear-env -- logger -t test from the gateway
tries=0
until said=$(lxc-attach -n 960 --clear-env -- journalctl -D /var/log/journal/remote -q -t test) &&
    [ "$(printf '%s\\n' "$said" | wc -l)" -ge 2 ]; do
    [ "$tries" -lt 600 ] || exit 1
    tries=$((tries + 1))
    sleep 0.1
done
printf '%s\\n' "$said"
"""


def test_what_is_logged_on_the_node_and_in_a_guest_is_found_where_the_site_s_logs_are(whole_converged):
    found = [line.split() for line in whole_converged.on_node(LOGGED).splitlines()]
    assert {(words[3], " ".join(words[5:])) for words in found} == {
        ("phoenix", "from the node"),
        ("nginx-vscoderag", "from the gateway"),
    }


def test_branches_were_made_at_the_same_time_and_no_layer_was_cloned_twice_at_once(demonstrated, made):
    assert set(made) == {*LAYERS, *WORKLOADS}

    def together(one, other):
        return one[0] < other[1] and other[0] < one[1]

    cloned = {}
    for child, layer in CLONED_FROM.items():
        cloned.setdefault(layer, []).append(made[child])
        sealed = max(
            step["began"] + step["seconds"]
            for step in demonstrated.steps
            if step["resource"] == f"phoenix/lxc_layer:{layer}"
        )
        assert sealed <= made[child][0]
    for times in cloned.values():
        assert not any(together(*pair) for pair in itertools.combinations(times, 2))
    spans = {}
    for step in demonstrated.steps:
        vmid = step["resource"].partition("lxc:")[2]
        if vmid:
            spans.setdefault(vmid, []).append((step["began"], step["began"] + step["seconds"]))
    beside = [
        (one, other)
        for one, other in itertools.combinations(sorted(spans), 2)
        if any(together(a, b) for a in spans[one] for b in spans[other])
    ]
    assert ("901", "902") in beside or ("901", "953") in beside or ("902", "953") in beside


def test_no_two_steps_on_one_containers_conf_ran_at_once(demonstrated):
    times = {}
    for step in demonstrated.steps:
        if "/lxc" in step["resource"]:
            vmid = step["resource"].rpartition(":")[2]
            times.setdefault(vmid, []).append((step["began"], step["began"] + step["seconds"]))
    for spans in times.values():
        ordered = sorted(spans)
        assert all(first[1] <= second[0] + CLOCKS for first, second in itertools.pairwise(ordered))
