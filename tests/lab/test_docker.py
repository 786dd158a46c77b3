"""Docker in a container: what is kept when anything changes, what goes on when something cannot be had."""

import contextlib
import json
import shlex
import shutil
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.lab.containers import BASE
from tests.lab.running import REPOSITORY
from tests.lab.small import SmallSite

from phoenix_hypervisor.compose.samples import PACKAGES
from phoenix_hypervisor.dialects.docker import HELLO
from phoenix_hypervisor.secrets import Secret

GUEST, VMID = "vectors", 126
FILE = f"{VMID}-{GUEST}"
OLDER = "qdrant/qdrant:v1.15.4@sha256:6ac4807063bbecddca0250bfbcff52acf18c22263b904d12919349e6d0a408f1"
NEWER = "qdrant/qdrant:v1.15.5@sha256:0fb8897412abc81d1c0430a899b9a81eb8328aa634e7242d1bc804c1fe8fe863"
WHOAMI = "traefik/whoami:v1.11.0@sha256:200689790a0a0ea48ca45992e0450bc26ccab5307375b41c84dfc4f2475937ab"
KEY = "canary-Zt4-docker"  # no secret: of a lab node only
APT = {
    "uris": ["https://download.docker.com/linux/ubuntu"],
    "suites": ["noble"],
    "components": ["stable"],
}
SECTIONS = {
    "lxc": {
        **BASE,
        "rootfs": {"storage": "tank-disks", "size": "2G"},
        "features": {"nesting": True, "keyctl": True},
        "mounts": {"/qdrant/storage": {"storage": "tank-more", "size": "1G"}},
    },
    "apt_repository": {"docker": APT},
    "docker_engine": {"repository": "docker", "packages": PACKAGES, "settings": {"live-restore": True}},
    "qdrant": {
        "image": OLDER,
        "api_key": Secret("qdrant/key"),
        "collections": {"code": {"dimension": 4}},
    },
    "compose_app": {
        "web": {
            "services": {
                "web": {
                    "image": WHOAMI,
                    "ports": ["8080:80"],
                    "volumes": ["data:/data"],
                    "environment": {"WHOAMI_NAME": "${NAME}", "KEY": "${KEY}"},
                }
            },
            "volumes": {"data": {}},
            "env": {"NAME": "first", "KEY": Secret("qdrant/key")},
            "serves": {8080: {"role": "web", "health": "/health"}},
        }
    },
}
ASK = f"curl -sS -H 'api-key: {KEY}' -H 'Content-Type: application/json' "
POINTS = "http://127.0.0.1:6333/collections/code/points"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    site = SmallSite.fresh(tmp_path_factory.mktemp("docker") / "site")
    for file in (site.folder / "configs/guests").iterdir():
        file.unlink()
    site.declare({FILE: SECTIONS})
    assert site.run("secrets", "init").status == 0
    assert site.run("secrets", "set", "qdrant/key", stdin=KEY.encode()).status == 0
    applied = site.run("apply", "--yes")
    assert applied.status == 0, applied.out + applied.err
    return site


def inside(site, command):
    return site.on_node(f"lxc-attach -n {VMID} --clear-env -- /bin/sh -c {shlex.quote(command)}")


@contextlib.contextmanager
def declared(site, kind, settings):
    """Another declaration of one section, taken back afterwards."""
    site.declare({FILE: {**SECTIONS, kind: settings}})
    try:
        yield
    finally:
        site.declare({FILE: SECTIONS})


def app(**changes):
    """The app with other settings of its one service."""
    whole = SECTIONS["compose_app"]["web"]
    return {"web": {**whole, "services": {"web": {**whole["services"]["web"], **changes}}}}


def written(site):
    """What the store has of the point of the tests."""
    return json.loads(inside(site, f"{ASK} -X POST {POINTS} -d '{{\"ids\": [7]}}'"))["result"]


def up(site, name):
    """When a container was made, and how it is."""
    found = json.loads(inside(site, f"docker inspect {name}"))[0]
    return found["Id"], found["State"]["Status"]


POINT = {"points": [{"id": 7, "vector": [1, 2, 3, 4], "payload": {"kept": True}}]}
KEPT = [{"id": 7, "payload": {"kept": True}}]


def test_a_point_is_there_after_converge_restart_and_image_upgrade(site):
    inside(site, f"{ASK} -X PUT '{POINTS}?wait=true' -d {shlex.quote(json.dumps(POINT))}")
    again = site.run("apply", "--yes")
    assert (again.status, again.out.splitlines()[-1].endswith("nothing to do")) == (0, True)
    assert written(site) == KEPT
    assert site.run("restart", GUEST).status == 0
    assert written(site) == KEPT
    with declared(site, "qdrant", {**SECTIONS["qdrant"], "image": NEWER}):
        upgraded = site.run("apply", "--yes")
        assert upgraded.status == 0, upgraded.out + upgraded.err
        assert written(site) == KEPT
        assert "v1.15.5" in inside(site, "docker ps")
    assert site.run("apply", "--yes").status == 0
    assert written(site) == KEPT
    said = inside(site, f"docker image inspect {NEWER} 2>&1 >/dev/null || :")
    assert said == f"Error response from daemon: No such image: {NEWER}\n"  # nobody uses it any more


UNKNOWN = f"traefik/whoami:v1.11.0@sha256:{'0' * 64}"
NOWHERE = f"registry.invalid/traefik/whoami@sha256:{'1' * 64}"


@pytest.mark.parametrize(
    ("image", "said"),
    [(UNKNOWN, "manifest unknown"), (NOWHERE, "lookup registry.invalid: no such host")],
    ids=["a wrong digest", "no registry"],
)
def test_an_image_that_cannot_be_had_changes_nothing(site, image, said):
    before = up(site, "web-web-1"), inside(site, "cat /srv/phoenix/web/compose.yaml")
    with declared(site, "compose_app", app(image=image)):
        run = site.run("apply", "--yes")
    assert run.status == 1
    assert said in run.out + run.err
    assert f"{image} cannot be had: what runs goes on as it is" in run.out + run.err
    assert (up(site, "web-web-1"), inside(site, "cat /srv/phoenix/web/compose.yaml")) == before
    assert inside(site, "curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1:8080/health") == "200"


def test_a_service_that_dies_is_told_with_its_last_words_and_without_its_secrets(site):
    wrong = app(command=["--nonsense", "${KEY}"])
    with declared(site, "compose_app", wrong):
        run = site.run("apply", "--yes")
    assert run.status == 1
    assert "flag provided but not defined: --nonsense" in run.out + run.err
    assert KEY not in run.out + run.err
    assert site.run("apply", "--yes").status == 0


def test_a_port_that_somebody_else_has_is_said_and_theirs_is_left_alone(site):
    theirs = {"services": {"web": {"image": WHOAMI, "ports": ["8099:80"]}}}
    compose = "docker compose -p theirs --project-directory /root"
    inside(site, f"echo {shlex.quote(json.dumps(theirs))} >/root/compose.yaml; {compose} up -d")
    before = up(site, "theirs-web-1")
    serves = {"serves": {8099: {"role": "web", "health": "/health"}}}
    with declared(site, "compose_app", {"web": {**app(ports=["8099:80"])["web"], **serves}}):
        run = site.run("apply", "--yes")
    assert run.status == 1
    assert "Bind for 0.0.0.0:8099 failed: port is already allocated" in run.out + run.err
    assert up(site, "theirs-web-1") == before
    inside(site, f"{compose} down; rm /root/compose.yaml")


def test_settings_of_others_are_kept_and_what_is_ours_goes(site):
    theirs = '{"debug": true, "log-opts": {"max-file": "2"}, "live-restore": false}'
    inside(site, f"printf '%s' {shlex.quote(theirs)} >/etc/docker/daemon.json")
    mine = {**SECTIONS["docker_engine"], "settings": {"live-restore": True, "log-opts": {"max-size": "5m"}}}
    with declared(site, "docker_engine", mine):
        assert site.run("apply", "--yes").status == 0
        assert json.loads(inside(site, "cat /etc/docker/daemon.json")) == {
            "debug": True,
            "live-restore": True,
            "log-opts": {"max-file": "2", "max-size": "5m"},
            "storage-driver": "overlay2",
        }
    assert site.run("apply", "--yes").status == 0
    assert json.loads(inside(site, "cat /etc/docker/daemon.json")) == {
        "debug": True,
        "live-restore": True,
        "log-opts": {"max-file": "2"},
        "storage-driver": "overlay2",
    }


def test_settings_that_the_daemon_does_not_take_never_get_into_their_place(site):
    before = inside(site, "cat /etc/docker/daemon.json")
    with declared(site, "docker_engine", {**SECTIONS["docker_engine"], "settings": {"live-restored": True}}):
        run = site.run("apply", "--yes")
    assert run.status == 1
    assert "the following directives don't match any configuration option: live-restored" in run.out + run.err
    assert inside(site, "cat /etc/docker/daemon.json") == before
    assert inside(site, "systemctl is-active docker").strip() == "active"


def test_a_new_key_is_the_only_one_that_opens(site):
    assert site.run("secrets", "set", "qdrant/key", stdin=b"canary-another-one").status == 0
    run = site.run("apply", "--yes")
    assert run.status == 0, run.out + run.err
    asked = "curl -s -o /dev/null -w '%{http_code}' -H 'api-key: "
    assert inside(site, f"{asked}{KEY}' http://127.0.0.1:6333/collections") == "401"
    assert inside(site, f"{asked}canary-another-one' http://127.0.0.1:6333/collections") == "200"
    assert inside(site, "stat -c '%a %U' /srv/phoenix/qdrant/.env").strip() == "600 root"
    assert site.run("secrets", "set", "qdrant/key", stdin=KEY.encode()).status == 0
    assert site.run("apply", "--yes").status == 0


def test_what_one_connection_runs_answers_in_another_that_was_there_before(site):
    """Each has programs of its own: a health check may meet a daemon that is older than the container."""
    web = f"lxc-attach -n {VMID} --clear-env -- curl -sS -o /dev/null -w '%{{http_code}} ' http://127.0.0.1:8080"
    wait = "until [ -e /root/made ]; do sleep 0.05; done"
    inside(site, "docker stop web-web-1")
    with ThreadPoolExecutor() as pool:
        other = pool.submit(
            site.on_node, f"{web} 2>&- || :; >/root/asked; {wait}; {web}; rm /root/asked /root/made"
        )
        try:
            while not (site.node.root / "root/asked").exists() and not other.done():
                time.sleep(0.02)
            inside(site, "docker start web-web-1")
        finally:
            site.on_node(">/root/made")
        assert other.result() == "000 200 "


def test_an_app_that_goes_takes_its_volumes_only_when_that_is_allowed(site):
    before = up(site, "web-web-1")
    gone = {key: part for key, part in SECTIONS.items() if key != "compose_app"}
    site.declare({FILE: gone})
    kept = site.run("apply", "--yes", "--prune")
    assert (kept.status, up(site, "web-web-1")) == (1, before)
    went = site.run("apply", "--yes", "--prune", "--allow-destroy", "compose_app:web")
    site.declare({FILE: SECTIONS})
    assert went.status == 0, went.out + went.err
    assert "web" not in inside(site, "docker ps -a; docker volume ls -q")
    assert inside(site, "ls /srv/phoenix").split() == ["qdrant"]
    assert up(site, "qdrant")[1] == "running"


def test_the_example_converges_and_open_webui_finds_the_models_of_ollama(tmp_path):
    example = SmallSite(tmp_path / "open-webui", "phoenix")
    shutil.copytree(
        REPOSITORY / "examples/open-webui", example.folder, ignore=shutil.ignore_patterns(".phoenix")
    )
    assert example.run("secrets", "init").status == 0
    assert example.run("secrets", "set", "webui/key", stdin=KEY.encode()).status == 0
    assert example.run("lab", "up").status == 0
    applied = example.run("apply", "--yes")
    assert applied.status == 0, applied.out + applied.err
    # once for all that is cloned from the layer
    assert applied.err.count("apt-get install docker-ce") == 1
    again = example.run("apply", "--yes")
    assert (again.status, again.out.splitlines()[-1].endswith("nothing to do")) == (0, True)
    seen = "lxc-attach -n 956 --clear-env -- curl -s http://127.0.0.1:8080/ollama/api/tags"
    assert [model["name"] for model in json.loads(example.on_node(seen))["models"]] == ["llama3.2:1b"]


def test_the_image_service_converges_with_its_share_of_a_card(tmp_path):
    """Docker's containers get cards in an unprivileged guest, and what others set in both files is kept."""
    example = SmallSite(tmp_path / "image-service", "phoenix")
    shutil.copytree(
        REPOSITORY / "examples/image-service", example.folder, ignore=shutil.ignore_patterns(".phoenix")
    )
    assert example.run("lab", "up").status == 0
    applied = example.run("apply", "--yes")
    assert applied.status == 0, applied.out + applied.err
    # once, in the layer
    assert applied.err.count("apt-get install nvidia-container-toolkit=1.17.8-1") == 1

    def inside(command):
        return example.on_node(f"lxc-attach -n 958 --clear-env -- /bin/sh -c {shlex.quote(command)}")

    assert inside("curl -s http://127.0.0.1:9090/api/v1/app/version") == '{"version":"6.14.1"}'
    config, daemon = "/etc/nvidia-container-runtime/config.toml", "/etc/docker/daemon.json"
    assert json.loads(inside(f"cat {daemon}"))["log-opts"] == {"max-size": "10m", "max-file": "3"}
    assert 'ldconfig = "@/sbin/ldconfig.real"' in inside(f"cat {config}")
    # declared in the guest as well, it is found right there, until somebody changes it
    file = "configs/guests/958-image-service.yaml"
    example.edit(
        file, ("\ncompose_app:", "\nnvidia_container_toolkit: { version: 1.17.8-1 }\n\ncompose_app:")
    )
    again = example.run("apply", "--yes")
    assert (again.status, again.out.splitlines()[-1].endswith("nothing to do")) == (0, True)
    inside(f"sed -i 's/^no-cgroups.*/no-cgroups = false/' {config}")
    said = inside(f"docker run --rm --gpus all {HELLO} 2>&1 || :")
    assert "failed to add device rules" in said
    repaired = example.run("apply", "--yes")
    assert repaired.status == 0, repaired.out + repaired.err
    assert "nvidia-ctk config --set nvidia-container-cli.no-cgroups=true" in repaired.err
    assert "systemctl restart docker" not in repaired.err
