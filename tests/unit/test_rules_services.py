"""Rules about services: what they promise each other, and what they share."""

from pathlib import Path

import pytest
from tests.unit.site_files import HOSTS, NODE, loaded, problems

from phoenix_hypervisor import registry

GUESTS = """\
hardware:
  gpus:
    gpu0: {pci: "0000:01:00.0", memory: 16G}
    gpu1: {pci: "0000:05:00.0", memory: 16G}
  disks: {a: {id: d1, size: 1T}, b: {id: d2, size: 1T}}
zfs_pool: {tank: {vdevs: [{type: mirror, disks: [d1, d2]}]}}
zfs_dataset: {tank/disks: {}, tank/data: {}, tank/iso: {}}
pve_storage:
  disks: {type: zfspool, pool: tank/disks, content: [rootdir]}
  iso: {type: dir, path: /tank/iso, content: [iso, vztmpl]}
ct_template: {base: {storage: iso, file: base_1_amd64.tar.zst}}
shared_volume: {models: {path: /tank/data/models, guests: {chat: {path: /models}, embed: {path: /models}}}}
nvidia_driver: {version: 580.76.05, sha256: "%s"}
""" % ("0" * 64)
LXC = "lxc: {template: base, rootfs: {storage: disks, size: 8G}, gpus: [%s]}\n"
CHAT, EMBED, STORE = (f"configs/guests/{name}.yaml" for name in ("950-chat", "951-embed", "952-store"))
SERVER = "vllm_server: {chat: {model: org/m-7B-AWQ, gpu_memory_fraction: %s}}\n"
VECTORS = "vllm_server: {embed: {model: org/e, task: embed, dimension: 768, gpu_memory_fraction: %s}}\n"
OLLAMA = 'ollama: {version: 0.12.6, sha256: "' + "0" * 64 + '", folder: /models%s}\n'


def site(chat: str, embed: str = "", card: str = "gpu0", **others: str) -> dict[str, str]:
    """The files of a site with two guests on one card, and what is in them."""
    return {
        NODE: GUESTS,
        HOSTS: "pve: {hostname: 10.0.0.13}\n",
        CHAT: LXC % "gpu0" + chat,
        EMBED: LXC % card + embed,
        **others,
    }


def said(folder: Path, files: dict[str, str]) -> list[str]:
    """What is said of services, warnings included."""
    wrong = problems(folder, files)
    lines = wrong.splitlines() if wrong else [str(one) for one in loaded(folder, files).warnings]
    return [
        line
        for line in "\n".join(lines).splitlines()
        if any(f"[V-{n}]" in line for n in (36, 51, 52, 53, 54, 55))
    ]


def test_what_fits_is_not_talked_about(tmp_path: Path) -> None:
    assert said(tmp_path, site(SERVER % 0.85, VECTORS % 0.10)) == []


def test_the_shares_of_a_card_add_up_to_no_more_than_the_card(tmp_path: Path) -> None:
    assert said(tmp_path, site(SERVER % 0.85, VECTORS % 0.20)) == [
        (
            f"{EMBED}:2:66: vllm_server:embed: 0.85 + 0.20 = 1.05 of `gpu0` (16 GiB), which it shares with "
            "chat/vllm_server:chat [V-36]"
        )
    ]


def test_an_app_in_docker_takes_its_share_too(tmp_path: Path) -> None:
    app = f"compose_app: {{x: {{services: {{x: {{image: 'x/y@sha256:{'0' * 64}', gpus: all}}}}%s}}}}\n"
    both = said(tmp_path / "both", site(SERVER % 0.5, app % ", gpu_memory_fraction: 0.6"))
    assert [line.partition("x: ")[2] for line in both] == [
        "0.50 + 0.60 = 1.10 of `gpu0` (16 GiB), which it shares with chat/vllm_server:chat [V-36]"
    ]
    without = problems(tmp_path / "none", site(app.replace(", gpus: all", "") % ", gpu_memory_fraction: 0.6"))
    assert "`gpu_memory_fraction` is for a service with `gpus: all`" in without


def test_who_has_metrics_and_no_address_is_told_to_who_would_ask(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry.kind("zfs_pool"), "unreached", ("lost",), raising=False)
    assert [str(one) for one in loaded(tmp_path).warnings] == [
        (
            f"{NODE}:6:3: warning: zfs_pool:tank: `lost` has metrics, and no static address by which it "
            "could be asked\n  hint: it is left out: give it one in `net`"
        )
    ]


def test_on_two_cards_both_fit(tmp_path: Path) -> None:
    assert said(tmp_path, site(SERVER % 0.85, VECTORS % 0.20, card="gpu1")) == []


def test_a_server_needs_the_cards_it_is_spread_over(tmp_path: Path) -> None:
    two = "vllm_server: {chat: {model: org/m-7B-AWQ, gpu_memory_fraction: 0.5, tensor_parallel: 2}}\n"
    assert said(tmp_path, site(two)) == [
        f"{CHAT}:2:22: vllm_server:chat: it needs 2, and the guest `chat` has `gpu0` [V-36]"
    ]


def test_a_model_that_does_not_fit_is_said_with_the_sum(tmp_path: Path) -> None:
    assert said(tmp_path, site("vllm_server: {chat: {model: org/m-8B}}\n")) == [
        (
            f"{CHAT}:2:22: warning: vllm_server:chat: its weights (14.9 GiB) and what is "
            "computed with them (1 GiB) "
            "do not fit into 0.9 of 16 GiB, which is 14.4 GiB [V-53]"
        )
    ]


def test_its_declared_weights_are_believed_before_its_name(tmp_path: Path) -> None:
    assert said(tmp_path, site("vllm_server: {chat: {model: org/m-70B, weights: 5G}}\n")) == []


def test_who_shares_a_card_and_does_not_say_how_much_is_told(tmp_path: Path) -> None:
    """Of one that has its card alone nobody needs to know."""
    assert said(tmp_path / "alone", site(OLLAMA % "", card="gpu1")) == []
    assert said(tmp_path / "beside", site(SERVER % 0.5, OLLAMA % "")) == [
        (
            f"{EMBED}:2:1: warning: ollama:embed: it shares `gpu0` with chat/vllm_server:chat, "
            "and nobody knows how "
            "much it takes [V-53]"
        )
    ]
    assert said(tmp_path / "told", site(SERVER % 0.5, OLLAMA % ", gpu_memory_fraction: 0.5")) == []


def test_a_port_is_listened_on_by_one(tmp_path: Path) -> None:
    one = "{model: org/a, gpu_memory_fraction: 0.3}"
    both = f"vllm_server:\n  a: {one}\n  b: {one}\n"
    assert said(tmp_path, site(both)) == [
        f"{CHAT}:4:3: vllm_server:b: vllm_server:a listens on port 8000 of `chat` already [V-51]"
    ]


def test_models_belong_on_a_mount(tmp_path: Path) -> None:
    assert said(tmp_path, site(OLLAMA.replace("/models", "/elsewhere") % "")) == [
        f"{CHAT}:2:1: warning: ollama:chat: /elsewhere is no mount of the guest `chat` [V-54]"
    ]


GATEWAY = "configs/guests/953-gateway.yaml"
NET = "net: {eth0: {bridge: vmbr0, ip: 10.0.0.9/24}}"
NGINX = f"lxc: {{template: base, rootfs: {{storage: disks, size: 8G}}, {NET}}}\n"
NGINX += "nginx_gateway: {replace_default_site: true}\n"


def test_behind_a_gateway_a_name_is_one_models(tmp_path: Path) -> None:
    twice = (SERVER % 0.4).replace("org/m-7B-AWQ", "org/m-7B-AWQ, served_name: same")
    files = site(twice, twice.replace("chat:", "other:"))
    assert said(tmp_path / "without", files) == []
    assert said(tmp_path / "behind", {**files, GATEWAY: NGINX}) == [
        (
            f"{EMBED}:2:44: vllm_server:other: chat/vllm_server:chat serves a model by the "
            "name `same` already "
            "[V-51]"
        )
    ]


def test_a_collection_is_for_embeddings_that_somebody_makes(tmp_path: Path) -> None:
    image = f"qdrant/qdrant:v1.15.5@sha256:{'0' * 64}"
    store = (
        "lxc: {template: base, rootfs: {storage: disks, size: 8G}, features: {nesting: true, keyctl: true}}\n"
    )
    store += f'qdrant: {{image: "{image}", collections: '
    store += "{code: {dimension: 1024}, docs: {dimension: 768}}}\n"
    assert said(tmp_path, {**site(SERVER % 0.5, VECTORS % 0.1), STORE: store}) == [
        f"{STORE}:2:128: qdrant:store: `code` takes vectors of 1024, and nobody makes such [V-52]"
    ]


ASKER = "configs/guests/956-asker.yaml"
USED = "lxc: {template: base, rootfs: {storage: disks, size: 8G}}\n"
USED += "systemd_unit:\n  rag.service:\n    sections: {Service: {ExecStart: /bin/rag}}\n    uses:\n"
SERVED = "vllm_server: {chat: {model: org/m-7B-AWQ, served_name: m, gpu_memory_fraction: 0.5}}\n"


def asking(tmp_path: Path, *uses: str, **others: str) -> list[str]:
    """What is said of a unit that counts on these."""
    lines = "".join(f"      - {{{one}}}\n" for one in uses)
    return said(tmp_path, {**site(SERVED, VECTORS % 0.1), ASKER: USED + lines, **others})


def test_what_somebody_counts_on_is_served_there(tmp_path: Path) -> None:
    chat, embed = "guest: chat, port: 8000, role: chat", "guest: embed, port: 8000, role: embeddings"
    right = (chat, f"{chat}, model: m", f"{embed}, model: org/e, dimension: 768", "guest: other, port: 1")
    assert asking(tmp_path / "right", *right) == []
    wrong = (
        f"{chat}, model: org/m-7B-AWQ",
        f"{embed}, dimension: 1024",
        "guest: chat, port: 8001, role: chat",
    )
    who = f"{ASKER}:5:5: systemd_unit:rag.service: it counts on"
    assert asking(tmp_path / "wrong", *wrong) == [
        f"{who} `chat` with the model `org/m-7B-AWQ` at `chat`, port 8000: nobody serves that [V-55]",
        f"{who} `embeddings` with vectors of 1024 at `embed`, port 8000: nobody serves that [V-55]",
        f"{who} `chat` at `chat`, port 8001: nobody serves that [V-55]",
    ]


def test_behind_a_gateway_all_that_is_served_is_there(tmp_path: Path) -> None:
    way = "guest: gateway, port: 80, role: "
    uses = (
        f"{way}chat, model: m",
        f"{way}embeddings, dimension: 768",
        f"{way}vector-store, collection: code",
    )
    (missing,) = asking(tmp_path, *uses, **{GATEWAY: NGINX})
    assert "it counts on `vector-store` with the collection `code` at `gateway`, port 80: " in missing


def test_what_does_not_belong_together_is_refused(tmp_path: Path) -> None:
    files = {**site(SERVED), ASKER: USED + "      - {guest: chat, port: 8000, model: m}\n"}
    assert "`model` belongs to `role: chat` or `role: embeddings`" in problems(tmp_path, files)
