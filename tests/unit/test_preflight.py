"""Whether a node is the machine its file says."""

import pytest

from phoenix_hypervisor.config.model import Hardware
from phoenix_hypervisor.inspect.preflight import differences

DECLARED = {
    "cpu": "AMD Ryzen 7 7700",
    "threads": 2,
    "memory": "96G",
    "disks": {"a": {"id": "nvme-A_1", "size": "1T"}},
    "gpus": {"gpu0": {"pci": "0000:01:00.0", "model": "NVIDIA GeForce RTX 5060 Ti"}},
}
CPU = "processor\t: 0\nmodel name\t: AMD Ryzen 7 7700 8-Core Processor\nprocessor\t: 1\n"
MEMORY = "MemTotal:       98650030 kB\n"
DISKS = "disks\nnvme0n1 1099511627776\nsr0 1024\n"
LINKS = "links\nnvme-A_1 /dev/nvme0n1\nnvme-A_1-part1 /dev/nvme0n1p1\n"
RECORD = "Slot:\t{}\nClass:\t{} [{}]\nVendor:\tNVIDIA Corporation [10de]\nDevice:\t{}[2d04]\n\n"
CARD = RECORD.format("0000:01:00.0", "VGA compatible controller", "0300", "GB206 [GeForce RTX 5060 Ti] ")
SOUND = RECORD.format("0000:01:00.1", "Audio device", "0403", "GB206 High Definition Audio ")
OTHER = RECORD.format("0000:05:00.0", "3D controller", "0302", "GB206 [GeForce RTX 5060 Ti] ")


class Host:
    """testinfra's host, with one answer."""

    def __init__(self, text: str) -> None:
        self.stdout = text

    def run_expect(self, expected: list[int], command: str) -> "Host":
        return self


def said(text: str, **declared: object) -> tuple[str, ...]:
    return differences(Host(text), Hardware(**{**DECLARED, **declared}))  # type: ignore[arg-type]


def machine(
    cpu: str = CPU, memory: str = MEMORY, disks: str = DISKS, links: str = LINKS, cards: str = CARD + SOUND
) -> str:
    return f"{cpu}{memory}{disks}{links}cards\n{cards}"


def test_of_the_declared_machine_nothing_is_said() -> None:
    assert said(machine()) == ()


@pytest.mark.parametrize(
    ("text", "notices"),
    [
        (
            machine(cpu=CPU.replace("AMD Ryzen 7 7700 8-Core", "Intel(R) Xeon(R)")),
            ("its processor is `Intel(R) Xeon(R) Processor`, and `AMD Ryzen 7 7700` is declared",),
        ),
        (
            machine(cpu=CPU + "processor\t: 2\n"),
            ("its processor has 3 threads, and 2 are declared",),
        ),
        (
            machine(memory="MemTotal: 65439744 kB\n"),
            ("it has 62.4 GiB of memory, and 96.0 GiB are declared",),
        ),
        (
            machine(memory="MemTotal: 131000000 kB\n"),
            ("it has 124.9 GiB of memory, and 96.0 GiB are declared",),
        ),
        (machine(links="links\n"), ("the disk `a` is not there: nvme-A_1",)),
        (
            machine(disks="disks\nnvme0n1 1000204886016\n"),
            ("the disk `a` has 1000204886016 bytes, and 1099511627776 are declared: nvme-A_1",),
        ),
        (
            machine(cards=SOUND),
            ("the graphics card `gpu0` is not there: nothing of that sort at 0000:01:00.0",),
        ),
        (
            machine(cards=CARD.replace("5060 Ti", "4060")),
            (
                (
                    "the graphics card `gpu0` is `GB206 [GeForce RTX 4060]`, and "
                    "`NVIDIA GeForce RTX 5060 Ti` is declared"
                ),
            ),
        ),
        (
            machine(cards=CARD + OTHER),
            (
                (
                    "it has a graphics card that `hardware: gpus:` does not name: 0000:05:00.0 GB206 "
                    "[GeForce RTX 5060 Ti]"
                ),
            ),
        ),
    ],
)
def test_each_difference_is_said(text: str, notices: tuple[str, ...]) -> None:
    assert said(text) == notices


def test_a_card_that_the_nodes_list_does_not_know_is_not_called_another() -> None:
    assert said(machine(cards=CARD.replace("GB206 [GeForce RTX 5060 Ti] ", ""))) == ()


def test_without_lspci_nothing_is_claimed_of_cards_and_of_what_is_not_declared_nothing_at_all() -> None:
    assert said(machine(cards="")) == ()
    nothing = {"cpu": "", "threads": None, "memory": None, "disks": {}, "gpus": {}}
    assert said(machine(cards=""), **nothing) == ()


def test_an_answer_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="disks"):
        said("nothing of the sort\n")
