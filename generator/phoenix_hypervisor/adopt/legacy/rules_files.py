"""Defects of the files as such: keys, copies, secrets, what nobody reads."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .estate import Estate, each, text_of
from .ledger import Part
from .rest import secrets_of
from .rules_guests import Found, at, machines, newer

_UNDECLARED = ("traefik_service", "id_maps", "bootstrap_ca_url", "portainer_agent_hostname",
               "portainer_environment_name", "integration_tests", "vllm", "vllm_parameters",
               "vllm_quantization", "vllm_trust_remote_code")  # fmt: skip
_UNDECLARED_BEFORE = ("tests", "zfs_volumes")
"""Those of September's schema did not have these yet."""
_ROOT_BEFORE = (("shared_volumes",), ("tests",), ("core_paths", "vm_config_file"))

_UNREAD = (
    "version", "author", "core_paths.lxc_config_schema_file", "core_paths.hf_token_file",
    "core_paths.docker_token_file", "core_paths.docker_images_path", "core_paths.hypervisor_marker_dir",
    "core_paths.hypervisor_marker", "network.external_registry_url", "network.default_subnet", "docker",
    "proxmox_defaults", "tests", "nvidia_driver.cuda_version", "nvidia_driver.install_vllm_libs", "behavior",
    "network.fallback_dns", "dns_server.authoritative_zones", "step_ca",
)  # fmt: skip
_UNREAD_BEFORE = ("network.portainer_server_port", "network.nfs_server")
_UNREAD_GUEST = (
    "swap_mb", "tests", "portainer_role", "run_integration_tests", "integration_tests", "vllm",
    "vllm_parameters", "vllm_quantization", "vllm_max_model_len", "vllm_gpu_memory_utilization",
    "vllm_tensor_parallel_size", "vllm_trust_remote_code",
)  # fmt: skip
_UNREAD_GUEST_BEFORE = ("firewall",)
_UNREAD_GUEST_AFTER = ("health_check", "id_maps")
_UNREAD_MACHINE_BEFORE = ("cores", "memory_mb", "disk_size_gb")
_UNREAD_MACHINE_AFTER = ("dns_records", "template_snapshot_name")


def undeclared(estate: Estate) -> Found:
    """V-03: a key that the predecessor's own schema does not have."""
    old = not newer(estate)
    for machine in machines(estate).values():
        for key, part in machine.part.each():
            if key in _UNDECLARED or (old and machine.container and key in _UNDECLARED_BEFORE):
                yield at(part, f"{machine.id}: `{key}` is no key of the predecessor's schema", "V-03")
    for path in _ROOT_BEFORE if old else ():
        if root := estate.hypervisor(*path):
            yield at(root, f"`{'.'.join(path)}` is no key of the predecessor's schema", "V-03")


def misplaced(estate: Estate) -> Found:
    """V-04: a known key where nobody looks for it."""
    if part := estate.hypervisor("shared_volumes", "firewall"):
        yield at(part, "`firewall` is among the shared folders: the script looked at the root", "V-04")
    for machine in machines(estate).values():
        if part := machine.part.get("user_config", "gw"):
            yield at(part, f"{machine.id}: `gw` belongs to `network_config`", "V-04")


def malformed(estate: Estate) -> Found:
    """V-05: a key that jq cannot be asked for without quotes."""
    for key, part in each(estate.hypervisor("tests")):
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_-]*", key):
            yield at(part, f"the key `{key}` is malformed", "V-05", "letters, digits and `_`")


def copies(estate: Estate) -> Found:
    """V-38: one value that is said in several places."""
    for root in estate.of("containers"):
        for key, path in (("nvidia_driver_version", "version"), ("nvidia_runfile_url", "runfile_url")):
            here, there = root.get(key), estate.hypervisor("nvidia_driver", path)
            if here and there:
                same = "again" if text_of(here) == text_of(there) else "and not as here"
                yield at(here, f"`{key}` is said in {there.where} {same}", "V-38", warning=same == "again")
    for machine in machines(estate).values():
        flat = [key for key, _ in machine.part.each() if key.startswith("vllm_")]
        if "vllm_args" in flat and len(flat) > 3:
            part = machine.place("vllm_args")
            yield at(part, f"{machine.id}: what vLLM is told is said up to three times", "V-38", warning=True)
    yield from _addresses_again(estate)


def _addresses_again(estate: Estate) -> Found:
    server = estate.hypervisor("network", "nfs_server")
    if server and estate.address and text_of(server) == estate.address:
        yield at(server, "`nfs_server` is the node's own address", "V-38", warning=True)
    portainer = estate.hypervisor("network", "portainer_server_ip")
    for machine in machines(estate).values():
        address = text_of(machine.part.get("network_config", "ip")).partition("/")[0]
        if portainer and address and text_of(portainer) == address:
            message = f"`portainer_server_ip` is the address of {machine.id} {machine.name}"
            yield at(portainer, message, "V-38", "guests are called by name", warning=True)
    domain = text_of(estate.hypervisor("domain_name"))
    for path in (("portainer_api", "portainer_hostname"), ("step_ca", "dns_name")):
        name = estate.hypervisor(*path)
        if name and domain and text_of(name).endswith(f".{domain}"):
            yield at(name, f"`{'.'.join(path)}` says `domain_name` again", "V-38", warning=True)
    fallback = estate.hypervisor("network", "fallback_dns")
    servers = estate.hypervisor("network", "interfaces", "dns_nameservers")
    if fallback and servers and text_of(fallback) in servers.words():
        yield at(fallback, "`fallback_dns` is among `dns_nameservers`", "V-38", warning=True)


def unread(estate: Estate) -> Found:
    """V-39: a key that no script of the predecessor's reads; each once, with how often it is there."""
    old = not newer(estate)
    for path in (*_UNREAD, *(_UNREAD_BEFORE if old else ())):
        if part := estate.hypervisor(*path.split(".")):
            yield at(part, f"no script reads `{path}`", "V-39", warning=True)
    found: dict[str, list[Part]] = {}
    for machine in machines(estate).values():
        keys = (
            (*_UNREAD_GUEST, *(_UNREAD_GUEST_BEFORE if old else _UNREAD_GUEST_AFTER))
            if machine.container
            else (_UNREAD_MACHINE_BEFORE if old else _UNREAD_MACHINE_AFTER)
        )
        for key in keys:
            if part := machine.part.get(key):
                found.setdefault(f"{'containers' if machine.container else 'machines'}: `{key}`", []).append(
                    part
                )
    for what, parts in (*found.items(), *_unread_lists(estate)):
        if parts:
            yield at(parts[0], f"no script reads {what} ({len(parts)} times)", "V-39", warning=True)


def _unread_lists(estate: Estate) -> Iterator[tuple[str, list[Part]]]:
    shares = [one.get("options") for _, one in each(estate.hypervisor("samba", "shares"))]
    yield "`samba.shares[].options`", [part for part in shares if part]
    classes = [one.get("storage_class") for _, one in each(estate.hypervisor("zfs", "datasets"))]
    yield "`zfs.datasets[].storage_class`", [part for part in classes if part]
    shared = each(estate.hypervisor("shared_volumes"))
    yield "`shared_volumes`", [part for name, part in shared if name != "firewall"]
    if not newer(estate):
        lists = [part.get("network_config", "nameservers") for part in estate.machines]
        yield "machines: `nameservers`", [part for part in lists if part]
    for root in estate.stacks():
        yield "this file", [root]
    for root in estate.of("machines"):
        for key in ("template", "cores", "memory_mb", "disk_size_gb"):
            if part := root.get("vm_defaults", key):
                yield f"`vm_defaults.{key}`", [part]


def literals(estate: Estate) -> Found:
    """V-40: secrets in plain text."""
    for name, part in secrets_of(estate):
        yield at(
            part,
            "a secret stands here in plain text",
            "V-40",
            f"`!secret {name}`; and change it: it was read",
        )


def tags(estate: Estate) -> Found:
    """V-41: an image that is another one tomorrow."""
    for _, part in each(estate.hypervisor("docker")):
        if re.search(r":(latest|main|nightly)$", text_of(part)):
            yield at(part, f"{text_of(part)} is another image tomorrow", "V-41", "a version, or a digest")
    for machine in machines(estate).values():
        image = machine.part.get("template_image")
        if image and text_of(image) and not re.search(r"\d{8}|\d+\.\d+\.\d+", text_of(image)):
            yield at(
                image, f"{machine.id}: {text_of(image)} is another image tomorrow", "V-41", "a dated one"
            )


def labels(estate: Estate) -> Found:
    """V-43: entry points and resolvers that the predecessor's Traefik does not have."""
    for root in estate.stacks():
        parts = [root]
        while parts:
            part = parts.pop()
            parts += [below for _, below in reversed([*part.each()])]
            said = re.search(r"\.(entrypoints|certresolver)=(.+)$", text_of(part))
            if said and (said[1] == "certresolver" or said[2] not in ("web", "traefik")):
                yield at(part, f"Traefik has no {said[1]} `{said[2]}`", "V-43", "and it does not ask Docker")


def sources(estate: Estate) -> Found:
    """V-44: one thing that two files say."""
    if (part := estate.hypervisor("vm_defaults")) and any(
        root.get("vm_defaults") for root in estate.of("machines")
    ):
        yield at(part, "`vm_defaults` is in two files", "V-44", "one of them")
    for root in estate.stacks():
        if stacks := root.get("docker_stacks"):
            yield at(stacks, "stacks were deployed from their phoenix.json files, not from this one", "V-44")
