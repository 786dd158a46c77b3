"""Docker without a node: what is known of versions, settings that are merged, apps that are refused."""

import json

import pytest
from pydantic import ValidationError
from tests.unit.site_files import NODE, loaded, problems
from tests.unit.test_rules_guests import BASE, FILES, GUESTS, WORK

from phoenix_hypervisor.compose import files
from phoenix_hypervisor.compose.project import Published, ports_of
from phoenix_hypervisor.dialects import docker
from phoenix_hypervisor.kinds.compose_app import ComposeApp
from phoenix_hypervisor.kinds.docker_engine import DockerEngine
from phoenix_hypervisor.kinds.qdrant import Qdrant
from phoenix_hypervisor.secrets import Secret

ZEROS = "0" * 64
IMAGE = f"x/y:1@sha256:{ZEROS}"


@pytest.mark.parametrize(
    ("package", "version", "bad"),
    [
        ("containerd.io", "1.7.28-1~ubuntu.24.04~noble", False),
        ("containerd.io", "1.7.28-2~debian.13~trixie", True),
        ("containerd.io", "1.7.27-1", False),
        ("containerd.io", "1.7.29-1~ubuntu.24.04~noble", True),
        ("containerd.io", "2.1.5-1~ubuntu.24.04~noble", True),
        ("runc", "1.3.3-0ubuntu1~24.04.2", True),
        ("runc", "1.1.12-0ubuntu3", False),
        ("docker-ce", "5:29.0.0-1~ubuntu.24.04~noble", False),
    ],
)
def test_versions_that_do_not_work_in_a_container_are_known(package, version, bad):
    assert (docker.known_bad(package, version) is not None) is bad


def test_a_version_that_is_known_to_be_bad_is_refused_with_what_to_take_unless_it_is_accepted():
    packages = {"docker-ce": "5:28.5.2-1~x", "containerd.io": "1.7.29-1~x"}
    with pytest.raises(ValidationError) as refused:
        DockerEngine.model_validate({"name": "g", "packages": packages})
    assert "containerd.io 1.7.29-1~x is known not to work here" in str(refused.value)
    assert "lxc-pve 6.0.5-2 or newer; take 1.7.28-1, or, if it has that, say `accepts:" in str(refused.value)
    DockerEngine.model_validate({"name": "g", "packages": packages, "accepts": ["runc-apparmor"]})


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"packages": {"containerd.io": "1.7.28-1"}}, "`packages` needs one of docker-ce, docker.io"),
        ({"storage_driver": "fuse-overlayfs"}, "needs the package of that name"),
        ({"settings": {"storage-driver": "vfs"}}, "say `storage_driver`"),
    ],
)
def test_an_engine_that_could_not_work_is_refused(settings, said):
    with pytest.raises(ValidationError, match=said):
        DockerEngine.model_validate({"name": "g", "packages": {"docker-ce": "5:28.5.2-1"}, **settings})


def test_settings_are_merged_by_key_and_taken_out_by_key():
    theirs = {"debug": True, "log-opts": {"max-file": "2"}}
    ours = {"log-opts": {"max-size": "5m"}, "live-restore": True}
    both = docker.merged(theirs, ours, ())
    assert both == {"debug": True, "log-opts": {"max-file": "2", "max-size": "5m"}, "live-restore": True}
    paths = [docker.unspelled(docker.spelled(path)) for path, _ in docker.leaves(ours)]
    assert docker.merged(both, {}, paths) == theirs
    assert docker.merged(ours, {}, paths) == {}
    assert (docker.written({}), json.loads(docker.written(both))) == ("", both)


@pytest.mark.parametrize("text", ["[]", "{", '"x"'])
def test_what_is_no_object_is_no_daemon_json(text):
    with pytest.raises(ValueError, match=r"."):
        docker.settings(text)


@pytest.mark.parametrize(
    ("written", "port"),
    [
        ("8080:80", Published(8080, "tcp", everywhere=True)),
        ("53:53/udp", Published(53, "udp", everywhere=True)),
        ("127.0.0.1:8080:80", Published(8080, "tcp", everywhere=False)),
        ({"target": 80, "published": 8080, "host_ip": "127.0.0.1"}, Published(8080, "tcp", everywhere=False)),
    ],
)
def test_ports_of_a_service(written, port):
    assert list(ports_of({"ports": [written]})) == [port]


def test_variables_are_found_wherever_they_stand():
    assert files.interpolated({"a": ["$ONE", "x${TWO:-y}"], "b": {"c": "$$NOT", "d": 5}}) == {"ONE", "TWO"}


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"services": {"web": {"image": "x/y:latest"}}}, "service `web`: `image` must name a digest"),
        ({"services": {"web": {"image": IMAGE, "build": "."}}}, "`build` is not understood here"),
        ({"services": {"web": {"image": IMAGE, "restart": "no"}}}, "`restart` is one of always"),
        ({"services": {"web": {"image": IMAGE, "ports": ["80"]}}}, "`ports` needs both sides of each"),
        ({"services": {"web": {"image": IMAGE, "command": "${PORT}"}}}, "`env` has no value for `PORT`"),
        ({"serves": {80: {"role": "web"}}}, "no service publishes the port 80"),
        ({"env": {"KEY": "it's"}}, "the value of `KEY` has a ' or a line break"),
    ],
)
def test_an_app_that_could_not_be_kept_as_declared_is_refused(settings, said):
    with pytest.raises(ValidationError) as refused:
        ComposeApp.model_validate({"name": "web", "services": {"web": {"image": IMAGE}}, **settings})
    assert said in str(refused.value)


def test_the_values_of_secrets_are_in_the_file_of_values_alone():
    service = {"image": IMAGE, "environment": {"KEY": "${KEY}", "MODE": "${MODE}"}}
    env = {"KEY": Secret("web/key"), "MODE": "plain"}
    app = ComposeApp.model_validate({"name": "web", "services": {"web": service}, "env": env})
    assert str(app.env_text).endswith("KEY='<secret web/key>'\nMODE='plain'\n")
    assert "web/key" not in app.text
    assert json.loads(app.text.partition("\n")[2])["services"]["web"] == {
        "restart": "unless-stopped",
        **service,
        "labels": {"phoenix.declared": app.digest},
    }


def test_a_store_keeps_its_data_where_it_is_declared_and_its_key_out_of_the_file():
    store = Qdrant.model_validate(
        {"name": "g", "image": IMAGE, "storage": "/data", "api_key": Secret("q"), "http_port": 7000}
    )
    service = store.content["services"]["qdrant"]
    assert service["volumes"] == [{"type": "bind", "source": "/data", "target": "/qdrant/storage"}]
    assert service["ports"] == ["7000:6333", "6334:6334"]
    assert service["environment"]["QDRANT__SERVICE__API_KEY"] == "${QDRANT_API_KEY}"


# The rules.

ENGINE = 'docker_engine: {packages: {docker-ce: "5:28.5.2-1"}}\n'
ALLOWED = "features: {nesting: true, keyctl: true}"
LAYER = f"lxc: {{template: base, rootfs: {{storage: disks, size: 8G}}, {ALLOWED}}}\nlxc_layer: {{}}\n{ENGINE}"
STORE = f"qdrant: {{image: 'x/y@sha256:{ZEROS}'}}\n"
VOLUME = "mounts: {/qdrant/storage: {storage: disks, size: 1G}}"


def test_what_runs_in_docker_needs_an_engine_here_or_in_a_layer_below(tmp_path):
    assert problems(tmp_path, {**FILES, WORK: f"lxc: {{clone: base, {VOLUME}}}\n{STORE}"}) == (
        f"{WORK}:2:1: qdrant:work: it runs in Docker, "
        "and neither this guest nor a layer below it has it [V-07]\n"
        "  hint: declare a `docker_engine`, or clone a layer that has one"
    )


def test_cards_are_given_to_containers_where_something_can_do_that(tmp_path):
    cards = f"gpus: [gpu0], {ALLOWED}, {VOLUME}"
    app = f"compose_app: {{x: {{services: {{x: {{image: 'x/y@sha256:{ZEROS}', gpus: all}}}}}}}}\n"
    files = {NODE: GUESTS, BASE: LAYER, WORK: f"lxc: {{clone: base, {cards}}}\n{app}"}
    assert "declare a `nvidia_container_toolkit`, or clone a layer that has one" in problems(
        tmp_path / "without", files
    )
    toolkit = "nvidia_container_toolkit: {version: 1.17.8-1}\n"
    assert problems(tmp_path / "beside", {**files, WORK: files[WORK] + toolkit}) == ""
    assert problems(tmp_path / "below", {**files, BASE: LAYER + toolkit}) == ""
    old = problems(tmp_path / "old", {**files, BASE: LAYER + toolkit.replace("1.17.8", "1.17.7")})
    assert "lets a container run programs of the host's (CVE-2025-23266)" in old


def test_a_container_with_docker_in_it_must_be_allowed_what_that_needs(tmp_path):
    found = problems(tmp_path, {NODE: GUESTS, BASE: LAYER, WORK: f"lxc: {{clone: base, {VOLUME}}}\n{STORE}"})
    assert "lxc:950: Docker in `work` needs the features nesting, keyctl [V-25]" in found


def test_what_a_layer_has_is_not_declared_again_and_data_belong_on_a_volume(tmp_path):
    clone = f"lxc: {{clone: base, {ALLOWED}}}\n{ENGINE}{STORE}"
    site = loaded(tmp_path, {NODE: GUESTS, BASE: LAYER, WORK: clone})
    assert [(problem.message, problem.rule) for problem in site.warnings] == [
        ("docker_engine:work: the layer `base` has it already", "V-08"),
        ("qdrant:work: `/qdrant/storage` is on the guest's own disk, and goes with it", ""),
    ]
