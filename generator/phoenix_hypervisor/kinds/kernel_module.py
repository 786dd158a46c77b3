"""Kernel modules."""

from collections.abc import Iterable, Iterator
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from ..resource import Artifact, Change, Kind, Refusal, Samples, Step, run, script

LOAD = "/etc/modules-load.d"
OPTIONS = "/etc/modprobe.d"


def _text(value: Any) -> Any:
    if isinstance(value, bool):
        return "Y" if value else "N"
    return str(value) if isinstance(value, int) else value


Value = Annotated[str, BeforeValidator(_text), Field(pattern=r"^[!-~]+$")]
Parameter = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.]+$")]


class KernelModule(Kind):
    """A module of the kernel: loaded now and at every boot, with these options.

    The kernel has the first word: a module that it does not know is not written down. Options are in a
    file of ours that is read last, and in the initramfs, from which a module may be loaded. Of a module
    that is loaded already, a parameter that can be changed while it runs is changed; another one waits
    until the module is loaded anew: that is said, and no module is ever unloaded. Options in files of
    others are left alone. When it is declared no longer, our files go, and the module stays loaded until
    the next boot.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_]*$")]
    options: dict[Parameter, Value] = Field(default_factory=dict)

    @property
    def load_file(self) -> str:
        """Our file that has it loaded at boot."""
        return load_file_of(self.name)

    @property
    def options_file(self) -> str:
        """Our file with its options."""
        return options_file_of(self.name)

    @property
    def line(self) -> str:
        """The options as modprobe.d(5) has them; empty without any."""
        return " ".join(f"{name}={value}" for name, value in self.options.items())

    def artifacts(self) -> Iterable[Artifact]:
        yield Artifact(self.load_file, "load.conf.j2")
        yield Artifact(self.options_file, "options.conf.j2")
        yield script(self.kind, self.name, "set.sh.j2")

    def converge(self, change: Change) -> Iterator[Step | Refusal]:
        if change.removes:
            yield from self.remove(self.name)
            return
        yield from self._refused(change)
        load, options, setting = self.artifacts()
        names = set(change.attributes)
        if change.creates or any(name.startswith("boot ") for name in names):
            yield Step(f"write {options.path}", push=options, check=f"modprobe -n {self.name}")
        if change.creates or "loaded" in names or any(name.startswith("running ") for name in names):
            title = f"modprobe {self.name}" + (f", set {self.line} where it can be" if self.options else "")
            yield Step(title, execute=setting)
        if change.creates or "at_boot" in names:
            yield Step(f"write {load.path}", push=load)
        stale = "initramfs" in names or any(name.startswith("boot ") for name in names)
        if stale or (change.creates and self.options):
            yield initramfs()

    def _refused(self, change: Change) -> Iterator[Refusal]:
        for name in sorted(change.attributes):
            sort, _, option = name.partition(" ")
            if sort == "fixed":
                said = f"{self.name} takes {option} only when it is loaded"
                yield Refusal(name, f"{said}: load it anew when nothing needs it (`modprobe -r`), or reboot")
            elif sort == "all_files" and f"boot {option}" not in change:
                # ours is right, so it is not the last word
                found = f"{option}={change[name].actual}"
                yield Refusal(
                    name, f"a file that is read after {self.options_file} says {found}: change it there"
                )

    @classmethod
    def remove(cls, name: str) -> Iterator[Step | Refusal]:
        yield run("rm", "-f", load_file_of(name), options_file_of(name))
        yield initramfs()

    @classmethod
    def samples(cls) -> Iterable[Samples]:
        yield Samples(
            "kvm", {"options": {"ignore_msrs": "Y"}}, {"options": {"ignore_msrs": "N", "halt_poll_ns": 0}}
        )
        yield Samples("loop", {"options": {"max_loop": 64, "max_part": 0}}, {"options": {"max_loop": 64}})


def load_file_of(name: str) -> str:
    """Return the path of our file that has a module loaded at boot."""
    return f"{LOAD}/phoenix-{name}.conf"


def options_file_of(name: str) -> str:
    """Return the path of our file with a module's options; of several files the last counts."""
    return f"{OPTIONS}/zz-phoenix-module-{name}.conf"


def initramfs() -> Step:
    """Return the step that brings options into the initramfs; once for all modules."""
    argv = ("update-initramfs", "-u", "-k", "all")
    return Step(" ".join(argv), argv=argv, once=True)
