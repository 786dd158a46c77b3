"""The command line: whole outputs, exit statuses, and what is said to a mistake."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from tests.unit.site_files import DATASET, HOSTS, NODE, POOL, make

from phoenix_hypervisor import __version__, registry
from phoenix_hypervisor.cli import EPILOG, VERBS, run
from phoenix_hypervisor.observe.screen import paint, shortened, shown, wrapped

Capture = pytest.CaptureFixture[str]
REPOSITORY = Path(__file__).resolve().parents[2]


def call(capsys: Capture, *words: object) -> tuple[int, str, str]:
    status = run([str(word) for word in words])
    found = capsys.readouterr()
    return int(status), found.out, found.err


# --- help and mistakes ------------------------------------------------------------------------------------


def test_the_first_page_lists_every_verb_and_the_exit_statuses(capsys: Capture) -> None:
    status, out, err = call(capsys, "--help")
    assert (status, err) == (0, "")
    assert [verb for verb in VERBS if f"\n  {verb} " not in out] == []
    assert " ".join(out.split()).endswith(EPILOG)
    assert call(capsys, "-h")[1] == out


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(capsys: Capture, verb: str) -> None:
    status, out, err = call(capsys, verb, "--help")
    assert (status, err) == (0, "")
    assert out.startswith(f"Usage: phoenix {verb}")
    assert max(map(len, out.splitlines())) <= 100


TELLING = ["plan", "apply", "verify", "status", "start", "stop", "restart", "logs"]


@pytest.mark.parametrize("verb", [*TELLING, "snapshot", "rollback", "recreate"])
def test_verbs_that_tell_by_their_exit_status_say_so(capsys: Capture, verb: str) -> None:
    assert "Exit status: 0 " in " ".join(call(capsys, verb, "--help")[1].split())


def test_the_version_is_told(capsys: Capture) -> None:
    assert call(capsys, "--version") == (0, f"phoenix, version {__version__}\n", "")


@pytest.mark.parametrize(
    ("verb", "hint"), [("aply", "did you mean `apply`?"), ("xyzzy", "`phoenix --help` lists the verbs")]
)
def test_an_unknown_verb_is_wrong_usage(capsys: Capture, verb: str, hint: str) -> None:
    assert call(capsys, verb) == (64, "", f"error: no verb `{verb}`\n  hint: {hint}\n")


MISUSED = {
    ("plan", "--taget", "x"): "No such option '--taget'. Did you mean '--target'?",
    ("--nosuch",): "No such option '--nosuch'.",
    ("render", "--out"): "Option '--out' requires an argument.",
    ("validate", "too", "many"): "Got unexpected extra arguments (too many)",
    ("exec",): "Missing argument 'COMMAND...'.",
    ("exec", "pve", "--"): "Missing argument 'COMMAND...'.",
    ("start",): "Missing argument 'GUEST...'.",
    ("snapshot", "x"): "Missing argument 'NAME'.",
    ("logs", "x", "-n", "0"): "Invalid value for '-n' / '--lines'",
    ("lab", "nosuch"): "No such command 'nosuch'.",
    ("secrets", "nosuch"): "No such command 'nosuch'.",
}


@pytest.mark.parametrize("words", MISUSED)
def test_what_click_refuses_is_wrong_usage(capsys: Capture, words: tuple[str, ...]) -> None:
    status, out, err = call(capsys, *words)
    assert (status, out) == (64, "")
    assert MISUSED[words] in err
    assert "Traceback" not in err


def test_without_a_verb_help_is_shown_and_it_is_wrong_usage(capsys: Capture) -> None:
    status, out, err = call(capsys)
    assert status == 64
    assert "Usage: phoenix" in out + err


def test_a_folder_that_is_no_site_is_said_by_every_verb_that_needs_one(
    tmp_path: Path, capsys: Capture
) -> None:
    for words in (
        ["validate"],
        ["render"],
        ["plan"],
        ["apply", "--yes"],
        ["exec", "true"],
        ["status"],
        ["start", "x"],
        ["snapshot", "x", "y"],
        ["recreate", "x"],
        ["logs", "x"],
        ["secrets", "list"],
    ):
        status, out, err = call(capsys, "--site", tmp_path, *words)
        assert (status, out) == (1, ""), words
        assert err == (
            f"error: {tmp_path} is not a site: it has no configs/site.yaml\n"
            "  hint: go to the site's folder, name it with --site, or make one with `phoenix init`\n"
        ), words


# --- validate ---------------------------------------------------------------------------------------------


def test_validate_says_that_all_is_well(tmp_path: Path, capsys: Capture) -> None:
    make(tmp_path, {NODE: DATASET})
    said = "site `test`: 1 node, 2 resources, no errors\n"
    assert call(capsys, "--site", tmp_path, "validate") == (0, "", said)
    listed = "pve/zfs_pool:tank\npve/zfs_dataset:tank/x\n"
    assert call(capsys, "--site", tmp_path, "validate", "-v") == (0, listed, said)
    assert call(capsys, "-v", "--site", tmp_path, "validate") == (0, listed, said)


def test_validate_says_all_that_is_wrong_at_once(tmp_path: Path, capsys: Capture) -> None:
    make(tmp_path, {NODE: f"{POOL}nfs_exprot: {{}}\nzfs_arc: {{}}\n"})
    assert call(capsys, "--site", tmp_path, "validate") == (
        1,
        "",
        f"error: {NODE}:7:1: unknown key `nfs_exprot` [V-03]\n  hint: did you mean `nfs_export`?\n"  # noqa: ISC004
        f"{NODE}:8:1: zfs_arc:pve: `max` is missing\n",
    )


def test_validate_tells_warnings_and_succeeds(tmp_path: Path, capsys: Capture) -> None:
    make(tmp_path, {"configs/profiles/spare.yaml": "", HOSTS: "pve:\ntwo:\n", "configs/nodes/two.yaml": ""})
    assert call(capsys, "--site", tmp_path, "validate") == (
        0,
        "",
        "configs/profiles/spare.yaml:1:1: warning: no node or guest names the profile `spare` [V-39]\n"  # noqa: ISC004
        "site `test`: 2 nodes, 1 resources, no errors\n",
    )


def test_the_site_is_found_from_a_folder_inside_it(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path)
    monkeypatch.chdir(tmp_path / "configs/nodes")
    assert call(capsys, "validate")[0] == 0
    monkeypatch.chdir("/")
    monkeypatch.setenv("PHOENIX_SITE", str(tmp_path))
    assert call(capsys, "validate")[0] == 0


# --- render -----------------------------------------------------------------------------------------------

SCRIPT = "pve/var/lib/phoenix/scripts/zfs_pool/tank.sh"


def test_render_writes_lists_and_checks(tmp_path: Path, capsys: Capture) -> None:
    make(tmp_path)
    out = tmp_path / "build/artifacts"
    render = ("--site", tmp_path, "render")
    assert call(capsys, *render, "--check") == (
        2,
        f"{SCRIPT}\nmanifest.json\n",
        f"2 files of {out} are not current\n",
    )
    assert call(capsys, *render) == (
        0,
        f"{SCRIPT}\nmanifest.json\n",
        f"1 artifacts in {out}, 2 files written\n",
    )
    assert call(capsys, *render) == (0, "", f"1 artifacts in {out}, 0 files written\n")
    assert call(capsys, *render, "--check") == (0, "", f"{out} is current\n")
    (out / SCRIPT).write_text("changed\n")
    assert call(capsys, *render, "--check") == (2, f"{SCRIPT}\n", f"1 files of {out} are not current\n")
    assert json.loads((out / "manifest.json").read_text())["artifacts"][0]["mode"] == "0700"


def test_render_of_one_host(tmp_path: Path, capsys: Capture) -> None:
    make(tmp_path, {HOSTS: "pve:\ntwo:\n", "configs/nodes/two.yaml": "zfs_arc: {max: 4G}\n"})
    status, out, _ = call(capsys, "--site", tmp_path, "render", "--host", "pve", "-o", tmp_path / "o")
    assert (status, out) == (0, f"{SCRIPT}\nmanifest.json\n")
    assert call(capsys, "--site", tmp_path, "render", "--host", "pev") == (
        64,
        "",
        "error: no host `pev`\n  hint: did you mean `pve`?\n",
    )


# --- init -------------------------------------------------------------------------------------------------


def test_init_makes_a_site_that_validates_and_renders(tmp_path: Path, capsys: Capture) -> None:
    status, out, err = call(capsys, "init", tmp_path / "new")
    assert (status, err) == (0, "next: phoenix validate; phoenix lab up; phoenix plan; phoenix apply\n")
    assert out.splitlines() == [
        str(tmp_path / "new" / name)
        for name in (
            "configs/site.yaml",
            "configs/nodes/pve.yaml",
            "inventory/hosts.yaml",
            ".gitignore",
            "configs/.schema",
        )
    ]
    assert (
        call(capsys, "--site", tmp_path / "new", "validate")[2]
        == "site `new`: 1 node, 6 resources, no errors\n"
    )
    assert call(capsys, "--site", tmp_path / "new", "render")[0] == 0


def test_init_touches_nothing_that_is_there(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "inventory").mkdir()
    (tmp_path / "inventory/hosts.yaml").write_text("mine\n")
    assert call(capsys, "init", tmp_path) == (
        1,
        "",
        f"error: {tmp_path}/inventory/hosts.yaml is already there\n  hint: go to an empty folder\n",
    )
    assert [path.name for path in tmp_path.iterdir()] == ["inventory"]


def test_init_in_the_folder_one_is_in_with_a_node_of_another_name(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a b").mkdir()
    monkeypatch.chdir(tmp_path / "a b")
    (Path.cwd() / ".gitignore").write_text("mine\n")
    assert call(capsys, "init", "--node", "alpha")[0] == 0
    assert (Path.cwd() / ".gitignore").read_text() == "mine\n"
    assert call(capsys, "validate")[2] == "site `site`: 1 node, 6 resources, no errors\n"
    assert (Path.cwd() / "configs/nodes/alpha.yaml").is_file()


@pytest.mark.parametrize("node", ["../x", "a/b", "", ".", "-x", "a b"])
def test_init_refuses_a_name_that_is_no_host_s(tmp_path: Path, capsys: Capture, node: str) -> None:
    status, out, err = call(capsys, "init", tmp_path, f"--node={node}")
    assert (status, out) == (64, "")
    assert f"`{node}` is not the name of a host" in err
    assert list(tmp_path.iterdir()) == []


# --- kinds ------------------------------------------------------------------------------------------------


def test_kinds_lists_every_kind_with_its_first_line(capsys: Capture) -> None:
    status, out, err = call(capsys, "kinds")
    assert (status, err) == (0, "")
    assert [line.split(maxsplit=1)[0] for line in out.splitlines()] == list(registry.homes())
    assert (
        "zfs_arc          How much memory ZFS's cache (the ARC) may take, now and after the next boot." in out
    )


def test_kinds_shows_one_with_its_fields(capsys: Capture) -> None:
    status, out, err = call(capsys, "kinds", "samba_user")
    assert (status, err) == (0, "")
    assert out.startswith("A user of the Samba server with a password from the secret store.\n\n")
    assert "  password             required\n" in out


def test_an_unknown_kind_is_wrong_usage(capsys: Capture) -> None:
    assert call(capsys, "kinds", "nfs") == (
        64,
        "",
        "error: no kind `nfs`\n  hint: `phoenix kinds` lists them\n",
    )
    assert (
        call(capsys, "kinds", "zfs_pol")[2] == "error: no kind `zfs_pol`\n  hint: did you mean `zfs_pool`?\n"
    )


# --- verbs that need hosts --------------------------------------------------------------------------------


def test_a_host_or_target_that_is_not_there_is_wrong_usage(tmp_path: Path, capsys: Capture) -> None:
    make(tmp_path, {NODE: DATASET})
    for words, said in {
        ("plan", "--host", "pev"): "no host `pev`\n  hint: did you mean `pve`?",
        ("plan", "--target", "zfs_dataset:tank/y"): "no resource `zfs_dataset:tank/y`\n"
        "  hint: did you mean `zfs_dataset:tank/x`?",
        ("exec", "--host", "x", "true"): "no host `x`\n  hint: known: pve",
        ("exec", "x", "--", "true"): "no host `x`\n  hint: known: pve",
        ("exec", "pve", "true"): "`pve` is a host, and `--` is missing behind it\n"
        "  hint: `phoenix exec pve -- true` runs it there",
        ("start", "pve"): "no guest `pve`\n  hint: `pve` is a node; guests live on it",
    }.items():
        assert call(capsys, "--site", tmp_path, *words) == (64, "", f"error: {said}\n"), words


def test_a_secret_without_a_value_is_said_before_any_host_is_asked(tmp_path: Path, capsys: Capture) -> None:
    make(tmp_path, {NODE: "samba_user:\n  heads: {password: !secret samba/heads}\n"})
    status, out, err = call(capsys, "--site", tmp_path, "plan")
    assert (status, out) == (1, "")
    assert err.startswith(f"error: {NODE}:2:11: samba_user:heads: ")


def test_exec_runs_on_hosts_and_keeps_data_on_stdout(tmp_path: Path, capsys: Capture) -> None:
    make(tmp_path, {HOSTS: "pve: {data: {transport: local}}\n"})
    assert call(capsys, "--site", tmp_path, "exec", "--", "echo out; echo err >&2") == (
        0,
        "out\n",
        "pve: status 0\nerr\n",
    )
    assert call(capsys, "--site", tmp_path, "exec", "exit", "7") == (1, "", "pve: status 7\n")
    for words in (["pve"], ["--host", "pve"], ["--host=pve"], ["pve", "--host", "pve"]):
        found = call(capsys, "--site", tmp_path, "exec", *words, "--", "echo --", "--host x")
        assert found == (0, "-- --host x\n", "pve: status 0\n"), words


def test_exec_on_a_host_that_is_not_there_is_unknown(tmp_path: Path, capsys: Capture) -> None:
    make(tmp_path, {HOSTS: "pve: {data: {transport: lab}}\n"})
    status, out, err = call(capsys, "--site", tmp_path, "exec", "true")
    assert (status, out) == (3, "")
    assert err.startswith("host `pve`")


# --- screens ----------------------------------------------------------------------------------------------


class Terminal:
    def isatty(self) -> bool:
        return True


def test_colour_is_for_terminals_and_for_who_wants_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert paint("x", "red") == "x"
    monkeypatch.setattr(sys, "stdout", Terminal())
    assert paint("x", "red") == "\x1b[31mx\x1b[0m"
    assert paint("x", "") == "x"
    monkeypatch.setenv("NO_COLOR", "1")
    assert paint("x", "red") == "x"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "(nothing)"),
        ("", '""'),
        ("a b", "a b"),
        ([], "(nothing)"),
        (("a", None), "a, (nothing)"),
        ({"a": 1, "b": [1, 2]}, "a: 1, b: 1, 2"),
        (True, "True"),
        (0, "0"),
    ],
)
def test_values_are_shown_as_people_read_them(value: object, text: str) -> None:
    assert shown(value) == text


def test_long_commands_are_cut_for_the_screen() -> None:
    assert shortened("x" * 96) == "x" * 96
    assert shortened("x" * 97) == "x" * 95 + "…"


def test_a_long_command_is_shown_whole_and_a_shell_would_read_it_so() -> None:
    words = ["zpool", "create", *(f"/dev/disk/by-id/nvme-{n}" for n in range(20)), "comment=two  words here"]
    command = shlex.join(words)
    lines = wrapped(command)
    assert max(map(len, lines)) <= 98
    assert all(line.endswith(" \\") for line in lines[:-1])
    assert shlex.split(" ".join(line.removesuffix(" \\") for line in lines)) == words
    assert wrapped("zpool list") == ["zpool list"]


def phoenix(*words: str, **options: object) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-c", "from phoenix_hypervisor.cli import main; main()", *words]
    return subprocess.run(argv, capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload]


def test_a_reader_that_has_gone_ends_it_without_a_word() -> None:
    """And not with 0: an apply that was cut short has not converged."""
    read, write = os.pipe()
    os.close(read)
    argv = [sys.executable, "-c", "from phoenix_hypervisor.cli import main; main()", "kinds"]
    child = subprocess.run(argv, stdout=write, stderr=subprocess.PIPE, check=False)
    os.close(write)
    assert (child.returncode, child.stderr) == (1, b"")


def test_the_program_ends_with_the_verb_s_status_and_without_a_traceback(tmp_path: Path) -> None:
    ended = phoenix("--site", str(tmp_path), "validate")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith("error: ")


def test_starting_up_imports_nothing_heavy() -> None:
    heavy = ("nornir", "testinfra", "pytest", "pydantic", "ruamel", "jinja2", "pyrage", "proxmoxer", "Crypto")
    script = (
        "import sys\nfrom phoenix_hypervisor.cli import run\nrun(['--help'])\n"
        f"print([name for name in {heavy} if name in sys.modules], file=sys.stderr)"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ended.stderr == "[]\n"
