"""nvidia-smi: `-h`, `-L` and `--query-gpu=… --format=csv…` of the cards the loaded driver has."""

import sys

import model
import nvidia_state

FIELDS = (
    "index", "pci.bus_id", "gpu_bus_id", "name", "gpu_name", "uuid", "gpu_uuid", "driver_version", "count",
    "persistence_mode",
)  # fmt: skip
FAILED = (
    "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure that the latest "
    "NVIDIA driver is installed and running.\n"
)
MISMATCH = "Failed to initialize NVML: Driver/library version mismatch\nNVML library version: {0}"


def not_installed(tool: str) -> int:
    """Say what a shell says of a program that is not there."""
    print(f"sh: 1: {tool}: not found", file=sys.stderr)
    return 127


def main(argv: list[str]) -> int:
    state = model.read()
    version = nvidia_state.userland(state)
    if not version:
        return not_installed("nvidia-smi")
    if argv in (["-h"], ["--help"]):
        print(f"\nNVIDIA System Management Interface -- v{version}\n")
        return 0
    if not nvidia_state.loaded(state):
        print(FAILED)
        return 9
    if nvidia_state.loaded(state) != version:
        print(MISMATCH.format(".".join(version.split(".")[:2])))
        return 18
    cards = nvidia_state.cards(state)
    if not cards:
        print("No devices were found")
        return 6
    wanted = [f"nvidia{minor}" for minor in range(len(cards))] + ["nvidiactl"]
    if not nvidia_state.in_guest(state) and not {*wanted} <= {*nvidia_state.own(state).get("nodes", [])}:
        nvidia_state.make_nodes(wanted)  # its library asks nvidia-modprobe for what it opens
    if argv in (["-L"], ["--list-gpus"]):
        for minor, card in enumerate(cards):
            print(f"GPU {minor}: {card['model']} (UUID: {card.get('uuid') or nvidia_state.uuid(minor)})")
        return 0
    return _query(argv, state, cards, version)


def _query(argv: list[str], state: model.Model, cards: list[nvidia_state.Row], version: str) -> int:
    options = dict(word.partition("=")[::2] for word in argv)
    if set(options) != {"--query-gpu", "--format"}:
        model.not_simulated("nvidia-smi", argv)
    fields, form = options["--query-gpu"].split(","), options["--format"].split(",")
    if form[0] != "csv" or not {*form} <= {"csv", "noheader", "nounits"}:
        model.not_simulated("nvidia-smi", argv)
    if "persistence_mode" in fields and nvidia_state.in_guest(state):
        model.not_simulated("nvidia-smi", argv)
    for field in fields:
        if field not in FIELDS:
            print(f'Field "{field}" is not a valid field to query.\n')
            return 2
    if "noheader" not in form:
        print(", ".join(fields))
    for minor, card in enumerate(cards):
        domain, _, rest = card["pci"].partition(":")
        address = f"{int(domain, 16):08X}:{rest.upper()}"
        facts = {
            "index": str(minor),
            "pci.bus_id": address,
            "gpu_bus_id": address,
            "name": card["model"],
            "gpu_name": card["model"],
            "uuid": card.get("uuid") or nvidia_state.uuid(minor),
            "gpu_uuid": card.get("uuid") or nvidia_state.uuid(minor),
            "driver_version": version,
            "count": str(len(cards)),
            "persistence_mode": "Enabled" if nvidia_state.persistent(state) else "Disabled",
        }
        print(", ".join(facts[field] for field in fields))
    return 0
