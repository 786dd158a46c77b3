"""Words of the kernel's command line."""

from collections.abc import Iterable, Iterator
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from ..dialects import bootloader, cmdline
from ..dialects.cmdline import Parameter
from ..resource import Artifact, Change, Kind, Offer, Refusal, Samples, Step, reboot, script

IOMMU = "iommu"
OF_THE_CPU = ("intel_iommu", "amd_iommu")
BOOTS_BY = ("root", "rootflags", "rootfstype", "boot", "init", "rdinit", "initrd", "BOOT_IMAGE", "ro", "rw")
SEVERAL = ("console", "earlycon", "hugepages", "hugepagesz")


def _name(name: str) -> str:
    if any(cmdline.same_name(name, one) for one in OF_THE_CPU):
        raise ValueError("declare `iommu: {value: pt}`: what the node's CPU takes for it follows")
    if name in BOOTS_BY:
        raise ValueError("decides whether the node boots at all: change it by hand, at the console")
    if any(cmdline.same_name(name, one) for one in SEVERAL):
        raise ValueError("may be there several times, so that there is no one value")
    return name


def _text(value: Any) -> Any:
    # true and false are refused: on, 1, y and yes are different values to different parameters
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


class KernelCmdline(Kind):
    """A parameter of the kernel's command line, like `pcie_aspm: {value: "off"}`; without a value, a word.

    Where it is written follows from what the node boots with: /etc/kernel/cmdline for systemd-boot, a file of
    our own in /etc/default/grub.d for GRUB; then the boot loader is made to read it. All words of others are
    left alone: one that says otherwise is reported, and one that says the same already is not said again.
    `iommu` stands for the IOMMU as a whole: on a node with a processor of Intel's it brings `intel_iommu=on`
    with it, and on one of AMD's, where the IOMMU is on by itself, it does not. A running kernel has the words
    it was started with, so that a change asks for a reboot. Declared no longer, our words go, and the running
    kernel keeps them until the next boot.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_.-]*$"), AfterValidator(_name)]
    value: Annotated[str, BeforeValidator(_text), Field(pattern=r"^[A-Za-z0-9_.,:;/@%+=*~-]+$")] | None = None

    def wanted(self, cpu: str) -> tuple[Parameter, ...]:
        """Return the words for it, on a node with such a processor (`amd`, `intel`)."""
        own = Parameter(self.name, self.value)
        return (Parameter("intel_iommu", "on"), own) if self._on and cpu == "intel" else (own,)

    @property
    def _on(self) -> bool:
        return self.name == IOMMU and self.value is not None and "off" not in self.value.split(",")

    def provides(self) -> Iterable[Offer]:
        if self._on:
            yield Offer(IOMMU, "node", self.value)

    def artifacts(self) -> Iterable[Artifact]:
        yield words_script()

    def converge(self, change: Change) -> Iterator[Step | Refusal]:
        if change.removes:
            yield from self.remove(self.name)
            return
        boot: bootloader.Boot = change.seen or bootloader.NOTHING
        if "foreign" in change:
            said = change["foreign"].actual
            yield Refusal("foreign", f"{said}: take it out there, or declare what it says")
            return
        writes = change.creates or "words" in change
        if not writes and any(name.startswith("boot ") for name in change.attributes):
            said = "our file is read, and a later one takes the words out again"
            yield Refusal("boot", f"{said}: look for GRUB_CMDLINE_LINUX_DEFAULT in {bootloader.DROP_INS}")
            return
        wanted = self.wanted(boot.cpu)
        if writes:
            said = " ".join(map(str, wanted))
            place = (
                bootloader.LINE if boot.loader == bootloader.SYSTEMD else f"{bootloader.OURS}{self.name}.cfg"
            )
            arguments = ("set", boot.loader, self.name, *map(str, wanted))
            yield Step(f"{place}: {said}", execute=words_script(), arguments=arguments)
        if writes or "read_by_the_loader" in change:
            yield again(boot)
        if not cmdline.in_effect(wanted, boot.running):
            yield reboot(f"a kernel that is started with {' '.join(map(str, wanted))}")

    @classmethod
    def remove(cls, name: str) -> Iterator[Step | Refusal]:
        yield Step(
            f"our words for {name} go from the kernel's command line, at the next boot",
            execute=words_script(),
            arguments=("remove", name),
        )

    @classmethod
    def samples(cls) -> Iterable[Samples]:
        yield Samples("iommu", {"value": "pt"}, {"value": "nopt"})
        yield Samples("nosmt", {}, {"value": "force"})


def words_script() -> Artifact:
    """Return the script that writes our words, and takes them out."""
    return script("kernel_cmdline", "words", "words.sh.j2")


def again(boot: bootloader.Boot) -> Step:
    """Return the step that makes the boot loader read its files, once for all parameters."""
    return Step(boot.again, argv=("sh", "-c", f"{boot.again} && : >{bootloader.STAMP}"), once=True)
