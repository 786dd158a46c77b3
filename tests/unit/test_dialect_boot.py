"""The kernel's command line, and where boot loaders have it from: read as they do, written to the byte."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phoenix_hypervisor.dialects import bootloader, cmdline, grub_default
from phoenix_hypervisor.dialects.cmdline import Parameter
from phoenix_hypervisor.kinds.kernel_cmdline import KernelCmdline
from phoenix_hypervisor.render import Renderer

NAMES = st.from_regex("[a-z][a-z0-9_.-]{0,8}", fullmatch=True)
VALUES = st.from_regex("[A-Za-z0-9_.,:/@%+=*~-]{1,8}", fullmatch=True)
PARAMETERS = st.builds(Parameter, NAMES, st.none() | VALUES)
SPACES = st.text(alphabet=" \t", min_size=1, max_size=3)

# --- words ------------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(PARAMETERS, SPACES), max_size=6))
def test_words_read_back_whatever_is_between_them(written: list[tuple[Parameter, str]]) -> None:
    text = "".join(f"{one}{space}" for one, space in written)
    assert cmdline.parameters(text) == tuple(one for one, _ in written)


@given(NAMES, st.text(alphabet="ab =+-", max_size=8))
def test_quotes_keep_what_is_between_them_together(name: str, value: str) -> None:
    for word in (f'{name}="{value}"', f'"{name}={value}"'):
        assert cmdline.words(f"quiet {word} ro") == ("quiet", word, "ro")
        assert cmdline.parameter(word) == Parameter(name, value)


@given(st.text(max_size=80))
def test_any_text_has_words_and_none_is_lost(text: str) -> None:
    found = cmdline.words(text)
    assert "".join("".join(found).split()) == "".join(text.split())


def test_what_is_for_the_first_process_is_no_parameter() -> None:
    assert cmdline.parameters("quiet -- iommu=pt") == (Parameter("quiet"),)


def test_the_last_word_counts_and_dashes_are_underscores() -> None:
    found = cmdline.parameters("pcie-aspm=on quiet pcie_aspm=off")
    assert cmdline.counts(Parameter("pcie_aspm", "off"), found) == "pcie_aspm=off"
    assert cmdline.counts(Parameter("pcie_aspm", "on"), found) == "pcie_aspm=off"
    assert cmdline.counts(Parameter("iommu", "pt"), found) == "not there"


def test_switches_of_intels_iommu_are_a_list() -> None:
    wanted = Parameter("intel_iommu", "on")
    assert cmdline.in_effect([wanted], cmdline.parameters("intel_iommu=on,sm_on"))
    assert not cmdline.in_effect([wanted], cmdline.parameters("intel_iommu=off"))


# --- /etc/default/grub ------------------------------------------------------------------------------------

PIECES = st.one_of(
    st.from_regex("[a-z0-9=_.,/-]{1,5}", fullmatch=True),
    st.from_regex("'[a-z \"$#;`\\\\-]{0,6}'", fullmatch=True),
    st.from_regex(r'"([a-z #;\'-]|\\["$`\\a]|\$GRUB_OTHER|\$\{GRUB_OTHER\}){0,6}"', fullmatch=True),
    st.sampled_from(["\\ ", '\\"', "\\$", "$GRUB_OTHER", "${GRUB_OTHER}", "\\\n"]),
)
LINES = st.one_of(
    st.lists(PIECES, max_size=4).map(lambda pieces: f"GRUB_CMDLINE_LINUX_DEFAULT={''.join(pieces)}"),
    st.lists(PIECES, max_size=3).map(lambda pieces: f"GRUB_CMDLINE_LINUX={''.join(pieces)}"),
    st.sampled_from(
        [
            "# a comment with a ' in it",
            "GRUB_TIMEOUT=5; GRUB_OTHER=x  # behind it",
            "GRUB_OTHER='two words'",
            "export GRUB_OTHER=y",
            'GRUB_CMDLINE_LINUX_DEFAULT="$GRUB_CMDLINE_LINUX_DEFAULT more=1"',
            'GRUB_DISTRIBUTOR=`echo Debian || echo "it\'s"`',
            "GRUB_DISTRIBUTOR=$(echo Debian)",
        ]
    ),
)
VARIABLES = (grub_default.ALWAYS, grub_default.NORMAL)


@settings(max_examples=80, deadline=None)
@given(st.lists(LINES, max_size=5))
def test_what_is_read_is_what_a_shell_would_have(lines: list[str]) -> None:
    text = "\n".join(lines) + "\n"
    show = "".join(f'; printf "%s\\036" "${{{name}-}}"' for name in VARIABLES)
    ended = subprocess.run(["sh", "-c", f"{text}{show[1:]}"], capture_output=True, text=True, check=True)
    found = grub_default.values_of([("grub", text)])
    assert [found.get(name, "") for name in VARIABLES] == ended.stdout.split("\036")[:2]


def test_files_are_read_one_after_the_other() -> None:
    files = [
        ("/etc/default/grub", 'GRUB_CMDLINE_LINUX_DEFAULT="quiet"\nGRUB_CMDLINE_LINUX="root=ZFS=rpool"\n'),
        ("/etc/default/grub.d/a.cfg", 'GRUB_CMDLINE_LINUX_DEFAULT="$GRUB_CMDLINE_LINUX_DEFAULT iommu=pt"\n'),
    ]
    assert grub_default.command_line(files) == "root=ZFS=rpool quiet iommu=pt"


UNREADABLE = {
    'GRUB_CMDLINE_LINUX="$(cat /x)"\n': "what GRUB_CMDLINE_LINUX is set to is known only by running it",
    "GRUB_CMDLINE_LINUX_DEFAULT=${X:-quiet}\n": (
        "what GRUB_CMDLINE_LINUX_DEFAULT is set to is known only by running it"
    ),
    "if [ -e /x ]; then GRUB_CMDLINE_LINUX=x; fi\n": (
        "GRUB_CMDLINE_LINUX… is set by more than plain assignments"
    ),
    'GRUB_CMDLINE_LINUX="quiet\n': 'a " is not closed',
    "GRUB_OTHER='quiet\n": "a ' is not closed",
}


@pytest.mark.parametrize("text", UNREADABLE)
def test_what_cannot_be_read_for_certain_is_not_guessed(text: str) -> None:
    said = re.escape(f"/etc/default/grub: {UNREADABLE[text]}")
    with pytest.raises(ValueError, match=f"^{said}$"):
        grub_default.command_line([("/etc/default/grub", text)])


@given(st.text(max_size=120))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        grub_default.command_line([("grub", text)])
    except ValueError as error:
        assert str(error).startswith("grub: ")  # noqa: PT017  (most texts are read)


# --- what a node boots with -------------------------------------------------------------------------------

UUIDS = "/etc/kernel/proxmox-boot-uuids"
BY_GRUB = "BOOT_IMAGE=/boot/vmlinuz-6.8.12-1-pve root=/dev/mapper/pve-root ro quiet"
BY_SYSTEMD = r"initrd=\EFI\proxmox\6.8.12-1-pve\initrd.img-6.8.12-1-pve root=ZFS=rpool/ROOT/pve-1 boot=zfs"


OURS = 'GRUB_CMDLINE_LINUX_DEFAULT="$GRUB_CMDLINE_LINUX_DEFAULT iommu=pt"\n'


def booted(parts: dict[str, str]) -> bootloader.Boot:
    """A node's answer, as it arrives."""
    whole = {"/proc/cmdline": BY_SYSTEMD, **parts, "end": "read"}
    return bootloader.parse("".join(f"\036{name}\n{text}\n" for name, text in whole.items()))


WAYS = {
    "LVM or ext4, with EFI or without": ({"efi": "yes", "/proc/cmdline": BY_GRUB}, "grub", "update-grub"),
    "ZFS with EFI": ({UUIDS: "8354-C2A8", "efi": "yes"}, "systemd-boot", "proxmox-boot-tool refresh"),
    "ZFS with Secure Boot": (
        {UUIDS: "8354-C2A8", "efi": "yes", "/proc/cmdline": BY_GRUB},
        "grub",
        "proxmox-boot-tool refresh",
    ),
    "ZFS without EFI": (
        {UUIDS: "8354-C2A8", "/proc/cmdline": BY_GRUB},
        "grub",
        "proxmox-boot-tool refresh",
    ),
    "a file of ids with none in it": (
        {UUIDS: "\n", "efi": "yes", "/proc/cmdline": BY_GRUB},
        "grub",
        "update-grub",
    ),
}


@pytest.mark.parametrize("what", WAYS)
def test_what_a_node_boots_with_is_told_from_what_is_there(what: str) -> None:
    parts, loader, again = WAYS[what]
    boot = booted(parts)
    assert (boot.loader, boot.again) == (loader, again)


def test_an_answer_that_broke_off_is_no_answer() -> None:
    with pytest.raises(ValueError, match="not whole"):
        bootloader.parse("\036/proc/cmdline\nquiet\n")


def test_whose_a_word_is_follows_from_our_notes_and_our_files() -> None:
    by_line = booted(
        {
            UUIDS: "8354-C2A8",
            "efi": "yes",
            bootloader.LINE: "root=ZFS=rpool quiet iommu=pt\n",
            f"{bootloader.NOTES}/iommu": "iommu=pt\n",
        }
    )
    by_file = booted(
        {
            "/proc/cmdline": BY_GRUB,
            "/etc/default/grub": 'GRUB_CMDLINE_LINUX_DEFAULT="quiet"\n',
            f"{bootloader.OURS}iommu.cfg": OURS,
        }
    )
    for boot in (by_line, by_file):
        assert boot.own("iommu") == ("iommu=pt",)
        assert Parameter("iommu", "pt") in boot.next
        assert Parameter("iommu", "pt") not in boot.of_others("iommu")
        assert Parameter("quiet") in boot.of_others("iommu")
        assert boot.names == {"iommu"}


@pytest.mark.parametrize(
    ("vendor", "words"),
    [
        ("AuthenticAMD", "iommu=pt"),
        ("GenuineIntel", "intel_iommu=on iommu=pt"),
        ("Unheard-of", "iommu=pt"),
    ],
)
def test_the_iommu_takes_what_the_processor_knows(vendor: str, words: str) -> None:
    """Not intel_iommu on a host of AMD's, as the predecessor had it."""
    boot = booted({"cpu": f"vendor_id\t: {vendor}"})
    wanted = KernelCmdline.model_validate({"name": "iommu", "value": "pt"}).wanted(boot.cpu)
    assert " ".join(map(str, wanted)) == words


REFUSED = {
    "intel_iommu": "what the node's CPU takes for it follows",
    "amd-iommu": "what the node's CPU takes for it follows",
    "root": "decides whether the node boots at all",
    "console": "may be there several times",
}


@pytest.mark.parametrize("name", REFUSED)
def test_words_that_are_not_for_a_file_to_say(name: str) -> None:
    with pytest.raises(ValueError, match=REFUSED[name]):
        KernelCmdline.model_validate({"name": name, "value": "on"})


# --- the script that writes -------------------------------------------------------------------------------


class Files:
    """The script, in a folder that has the node's files, with boot loaders that only say that they ran."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for folder in ("etc/kernel", "etc/default", "var/lib/phoenix", "bin"):
            (root / folder).mkdir(parents=True)
        for tool in ("update-grub", "proxmox-boot-tool"):
            path = root / "bin" / tool
            path.write_text(f'#!/bin/sh\necho {tool} "$@" >>{root}/ran\n')
            path.chmod(0o755)
        one = KernelCmdline.model_validate({"name": "iommu", "value": "pt"})
        text = Renderer().text("kernel_cmdline", next(iter(one.artifacts())), one)
        for top in ("/etc/", "/var/lib/"):
            text = text.replace(top, f"{root}{top}")
        (root / "words.sh").write_text(text)

    def run(self, *arguments: str) -> str:
        ended = subprocess.run(
            ["sh", self.root / "words.sh", *arguments],
            capture_output=True,
            text=True,
            check=False,
            env={"PATH": f"{self.root}/bin:/usr/bin:/bin"},
        )
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    @property
    def line(self) -> Path:
        return self.root / "etc/kernel/cmdline"

    @property
    def ran(self) -> list[str]:
        path = self.root / "ran"
        return path.read_text().splitlines() if path.exists() else []


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return Files(tmp_path_factory.mktemp("node"))


OTHERS = st.lists(
    st.tuples(
        st.sampled_from(
            ["root=ZFS=rpool", "quiet", 'dyndbg="file a.c +p; iommu=pt x"', "iommu=pt_", "x=iommu=pt"]
        ),
        SPACES,
    ),
    min_size=1,
    max_size=4,
)


@settings(max_examples=15, deadline=None)
@given(OTHERS, st.sampled_from(["", " -- init arg", "\n", "\n# second line iommu=pt\n"]))
def test_in_the_one_line_every_word_of_others_stays_to_the_byte(
    files: Files, words: list[tuple[str, str]], end: str
) -> None:
    before = ("".join(word + space for word, space in words).rstrip() + end).rstrip("\n") + "\n"
    files.line.write_text(before)
    files.run("set", "systemd-boot", "iommu", "intel_iommu=on", "iommu=pt")
    both = files.line.read_text()
    assert both.replace(" intel_iommu=on iommu=pt", "", 1) == before
    assert Parameter("intel_iommu", "on") in cmdline.parameters(both.splitlines()[0])
    assert files.run("set", "systemd-boot", "iommu", "intel_iommu=on", "iommu=pt") == ""
    files.run("set", "systemd-boot", "iommu", "iommu=pt")
    assert files.line.read_text().replace(" iommu=pt", "", 1).count("\n") == before.count("\n")
    assert "intel_iommu" not in files.line.read_text()
    files.run("remove", "iommu")
    assert files.line.read_text() == before


def test_grubs_own_file_is_never_touched(tmp_path: Path) -> None:
    """The predecessor edited /etc/default/grub, on machines that boot from /etc/kernel/cmdline."""
    files = Files(tmp_path)
    grub = tmp_path / "etc/default/grub"
    grub.write_text("GRUB_CMDLINE_LINUX_DEFAULT='quiet'  # mine\n")
    files.run("set", "grub", "iommu", "iommu=pt")
    ours = tmp_path / "etc/default/grub.d/zz-phoenix-iommu.cfg"
    show = f'. {shlex.quote(str(grub))}; . {shlex.quote(str(ours))}; echo "$GRUB_CMDLINE_LINUX_DEFAULT"'
    assert subprocess.run(["sh", "-c", show], capture_output=True, text=True, check=True).stdout == (
        "quiet iommu=pt\n"
    )
    assert not files.line.exists()
    files.run("remove", "iommu")
    assert (grub.read_text(), ours.exists()) == ("GRUB_CMDLINE_LINUX_DEFAULT='quiet'  # mine\n", False)
    assert files.ran == ["update-grub"]


def test_a_line_that_is_not_there_is_not_made_with_our_words_alone(tmp_path: Path) -> None:
    files = Files(tmp_path)
    with pytest.raises(AssertionError, match="the node would not boot with nothing but our words in it"):
        files.run("set", "systemd-boot", "iommu", "iommu=pt")
    assert not files.line.exists()


def test_what_was_cut_off_after_the_note_is_found_and_taken_out(tmp_path: Path) -> None:
    files = Files(tmp_path)
    files.line.write_text("root=x iommu=nopt iommu=pt\n")
    note = tmp_path / "var/lib/phoenix/made/kernel_cmdline/iommu"
    note.parent.mkdir(parents=True)
    note.write_text("iommu=nopt\niommu=pt\n")
    files.run("set", "systemd-boot", "iommu", "iommu=pt")
    assert (files.line.read_text(), note.read_text()) == ("root=x iommu=pt\n", "iommu=pt\n")
