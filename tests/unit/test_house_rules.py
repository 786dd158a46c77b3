"""The rules of the house that a machine can hold: who imports whom, sizes, words, no secret, no leftovers."""

import ast
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGE = REPOSITORY / "generator" / "phoenix_hypervisor"

# Each part may import those that stand before it, its own members, and what is named here besides.
# `resource` is what kinds are made of; `registry` finds the kinds.
LAYERS: list[set[str]] = [
    {"downloads", "errors", "graph", "offers"},
    {"secrets", "dialects"},
    {"process", "resource", "fields"},
    {"budgets", "guestverbs", "records", "services"},
    {"containers", "firewall", "units"},
    {"compose", "gateway", "machines"},
    {"registry", "kinds"},
    {"secretstore"},
    {"config"},
    {"proxmox", "render", "transport"},
    {"inspect"},
    {"converge", "lab", "adopt"},
    {"operate"},
    {"observe"},
    {"watch"},
    {"cli"},
]
ALSO: dict[str, set[str]] = {
    "kinds": {
        "budgets",
        "compose",
        "containers",
        "firewall",
        "dialects",
        "fields",
        "gateway",
        "machines",
        "resource",
        "secrets",
        "services",
        "units",
    },  # and nothing else: they are pure
    "machines": {
        "budgets",
        "containers",
        "dialects",
        "fields",
        "guestverbs",
        "resource",
        "secrets",
    },
    "containers": {"budgets", "dialects", "fields", "guestverbs", "resource", "secrets"},
    "firewall": {"dialects", "fields", "resource", "secrets"},
    "compose": {"containers", "dialects", "resource", "secrets"},
    "gateway": {"dialects", "fields", "firewall", "resource", "secrets", "services"},
    "units": {"dialects", "resource", "secrets"},
    "dialects": set(),
    "graph": set(),
    "errors": set(),
    "lab": {"transport", "config", "process", "errors", "secrets", "dialects"},
}
"""Parts that may import less than all that stands before them."""
PROGRAMS = ("lab/standins", "lab/programs", "lab/sandbox")
"""Programs of their own: they run inside a lab node, without our package."""


@cache
def modules() -> dict[Path, ast.Module]:
    return {path: ast.parse(path.read_text()) for path in sorted(PACKAGE.rglob("*.py"))}


def ours() -> Iterator[tuple[Path, ast.Module]]:
    """The modules of the tool, without the programs of the lab."""
    for path, tree in modules().items():
        if not path.relative_to(PACKAGE).as_posix().startswith(PROGRAMS):
            yield path, tree


def place(path: Path, line: int = 1) -> str:
    return f"{path.relative_to(REPOSITORY)}:{line}"


@cache
def imported(path: Path, tree: ast.Module) -> tuple[tuple[str, int], ...]:
    """Absolute names of what a module imports, wherever in it, `from . import x` resolved."""
    return tuple(_imported(path, tree))


def _imported(path: Path, tree: ast.Module) -> Iterator[tuple[str, int]]:
    package = path.relative_to(PACKAGE).parent.parts
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level:  # noqa: SIM108
                base = ["phoenix_hypervisor", *package[: len(package) - node.level + 1]]
            else:
                base = []
            base += node.module.split(".") if node.module else []
            yield from ((".".join([*base, alias.name]), node.lineno) for alias in node.names)


def for_types_only(tree: ast.Module) -> set[int]:
    """Lines of imports that only a type checker sees."""
    return {
        inner.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for inner in ast.walk(node)
        if isinstance(inner, ast.stmt)
    }


def part(name: str) -> str:
    """The part of the package a dotted name belongs to: `phoenix_hypervisor.config.tree` → config."""
    words = name.split(".")
    return words[1] if len(words) > 1 else ""


PARTS = {name for layer in LAYERS for name in layer}


def allowed(of: str) -> set[str]:
    before: set[str] = set()
    for layer in LAYERS:
        if of in layer:
            break
        before |= layer
    return (ALSO[of] if of in ALSO else before) | {of}  # noqa: SIM401


def test_every_part_of_the_package_has_its_place_in_the_layers() -> None:
    found = {path.stem if path.is_file() else path.name for path in PACKAGE.iterdir()}
    unplaced = {name for name in found if not name.startswith((".", "_")) and name not in ("py", "py.typed")}
    assert unplaced - PARTS <= {"py", "templates", "verify"}


def test_imports_point_down_only() -> None:
    wrong = []
    for path, tree in ours():
        of = part("phoenix_hypervisor." + ".".join(path.relative_to(PACKAGE).with_suffix("").parts))
        if of == "__init__":
            continue
        types = for_types_only(tree)
        wrong += [
            f"{place(path, line)}: {of} imports {name}"
            for name, line in imported(path, tree)
            if name.startswith("phoenix_hypervisor.")
            and line not in types
            and part(name) in PARTS
            and part(name) not in allowed(of)
        ]
    assert wrong == []


def test_no_kind_knows_another() -> None:
    wrong = [
        f"{place(path, line)}: {name}"
        for path, tree in ours()
        for name, line in imported(path, tree)
        if path.parent.name == "kinds" and name.startswith("phoenix_hypervisor.kinds")
    ]
    assert wrong == []


ONLY = {
    "nornir": ("inspect/", "converge/"),
    "subprocess": ("process.py",),
    "pty": (),
    "multiprocessing": (),
    "pytest": ("inspect/",),
    "testinfra": ("inspect/",),
    "click": ("cli/", "observe/"),
    "jinja2": ("render.py", "observe/report/"),
    "ruamel": ("config/", "observe/kinds_page.py"),
    "pyrage": ("secretstore/",),
    "proxmoxer": ("proxmox/",),
    "asyncio": (),
    "requests": (),
    "pickle": (),
}


@pytest.mark.parametrize("library", ONLY)
def test_a_library_is_known_in_one_place(library: str) -> None:
    wrong = [
        place(path, line)
        for path, tree in ours()
        for name, line in imported(path, tree)
        if name.split(".")[0] == library
        and line not in for_types_only(tree)
        and not path.relative_to(PACKAGE).as_posix().startswith(ONLY[library])
    ]
    assert wrong == []


PURE = {
    "abc",
    "base64",
    "binascii",
    "bisect",
    "collections",
    "datetime",
    "enum",
    "dataclasses",
    "functools",
    "hashlib",
    "ipaddress",
    "itertools",
}
PURE |= {
    "json",
    "re",
    "shlex",
    "string",
    "tomllib",
    "typing",
    "urllib",
    "pydantic",
    "pydantic_core",
    "Crypto",
    "__future__",
}


def test_kinds_and_dialects_do_no_input_and_no_output() -> None:
    wrong = [
        f"{place(path, line)}: {name}"
        for path, tree in ours()
        for name, line in imported(path, tree)
        if path.parent.name in ("kinds", "dialects", "containers", "firewall", "gateway", "machines")
        and name.split(".")[0] not in PURE | {"phoenix_hypervisor"}
    ]
    wrong += [
        f"{place(path, line)}: {name}()"
        for path, tree in ours()
        for name, line in calls(tree)
        if path.parent.name in ("kinds", "dialects", "containers", "firewall", "gateway", "machines")
        and name in ("open", "__import__")
    ]
    assert wrong == []


def calls(tree: ast.Module) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node.lineno


def test_a_secret_is_revealed_only_on_its_way_to_a_stdin() -> None:
    """Or, as a token, to an API whose certificate has been checked."""
    wrong = [
        place(path, line)
        for path, tree in modules().items()
        for name, line in calls(tree)
        if name.endswith(".reveal")
        and path.relative_to(PACKAGE).as_posix() not in ("process.py", "secrets.py", "proxmox/session.py")
    ]
    assert wrong == []


FORBIDDEN_CALLS = {"print", "eval", "exec", "os.system", "os.popen", "breakpoint", "input"}


def test_what_no_module_calls() -> None:
    wrong = [
        f"{place(path, line)}: {name}"
        for path, tree in ours()
        for name, line in calls(tree)
        if name in FORBIDDEN_CALLS and path.name != "demo.py"  # a program that people watch
    ]
    assert wrong == []


def test_modules_and_functions_are_small() -> None:
    long_modules = [
        f"{place(path)}: {lines} lines"
        for path, _ in modules().items()
        if (lines := path.read_text().count("\n")) > 350
    ]
    long_functions = [
        f"{place(path, node.lineno)}: {node.name}, {length} lines"
        for path, tree in ours()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
        and (length := (node.end_lineno or node.lineno) - node.lineno + 1) > 60
    ]
    assert (long_modules, long_functions) == ([], [])


FORBIDDEN_WORDS = {
    "item",
    "object",
    "manager",
    "handler",
    "helper",
    "util",
    "utils",
    "common",
    "misc",
    "core",
}


def test_no_file_is_named_after_nothing() -> None:
    """What is rendered is called by what it is for: a package's name, say."""
    names = [name for name in tracked() if not name.startswith("tests/golden/")]
    wrong = [name for name in names if FORBIDDEN_WORDS & set(re.split(r"[^a-z]+", Path(name).name.lower()))]
    assert wrong == []


def test_no_name_says_nothing() -> None:
    wrong = [
        f"{place(path, node.lineno)}: {node.name}"
        for path, tree in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, (ast.FunctionDef, ast.ClassDef))
        and not node.name.startswith(("pytest_", "__"))
        and FORBIDDEN_WORDS & set(re.findall(r"[a-z]+", re.sub(r"([A-Z])", r"_\1", node.name).lower()))
    ]
    assert wrong == []


def test_nothing_is_left_to_do() -> None:
    marks = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
    wrong = [
        place(path, number)
        for path in text_files()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if marks.search(line) and path != Path(__file__)
    ]
    assert wrong == []


def test_nothing_is_not_implemented_but_the_contract_of_a_kind() -> None:
    wrong = [
        place(path, node.lineno)
        for path, tree in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and node.id == "NotImplementedError" and path.name != "resource.py"
    ]
    assert wrong == []


def test_no_except_catches_everything() -> None:
    wrong = [
        place(path, node.lineno)
        for path, tree in ours()
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler) and node.type is None
    ]
    assert wrong == []


# --- the repository ---------------------------------------------------------------------------------------


@cache
def tracked() -> tuple[str, ...]:
    """Names of files that are in the repository or will be."""
    if not (REPOSITORY / ".git").exists():
        pytest.skip("not a checkout")
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    return tuple(name for name in listed.stdout.splitlines() if (REPOSITORY / name).is_file())


def text_files(*folders: str) -> Iterator[Path]:
    for name in tracked():
        path = REPOSITORY / name
        if path.suffix not in (".age", ".png", ".gz") and (not folders or name.split("/")[0] in folders):
            yield path


PRIVATE = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----|AGE-SECRET-KEY-1[0-9A-Z]{20,}|\bghp_\w{20,}|\bAKIA[0-9A-Z]{16}\b"
    r"|\bhf_[A-Za-z0-9]{20,}|\bglpat-[\w-]{15,}|\bxox[bp]-\w{10,}"
)
LITERAL = re.compile(
    r"^\s*[\"']?(password|passwd|token|secret|api_key)[\"']?\s*(:\s*(?!!secret|[{<$#\[]|$)|=\s*(?=[\"'])(?!.*\())\S",
    re.IGNORECASE,
)


def test_no_key_of_anybody_is_in_the_repository() -> None:
    wrong = [str(path) for path in text_files() if PRIVATE.search(path.read_text(encoding="utf-8"))]
    assert wrong == []


def test_no_secret_is_written_out_in_configs_examples_and_docs() -> None:
    wrong = [
        f"{place(path, number)}: {line.strip()}"
        for path in text_files("configs", "examples", "docs", "inventory", "README.md")
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if LITERAL.search(line)
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("password: hunter2", True),
        ("password = 'hunter2'", True),
        ("password = site.resource('x').password", False),
        ('  "token": "abc"', True),
        ("password: !secret samba/heads", False),
        ("password:", False),
        ("password: {{ x }}", False),
        ("password: <the password>", False),
    ],
)
def test_the_scan_finds_what_it_should(line: str, found: bool) -> None:
    assert bool(LITERAL.search(line)) is found


def test_no_path_of_a_developer_s_machine_is_in_the_repository() -> None:
    machine = re.compile(r"(?<![\w.])/(Users/\w+|work/\w+|tmp/v/)|\.pyenv/|C:\\\\Users")
    home = re.compile(r"(?<![\w.])/home/(?!user\b)\w+")  # tests have people of their own
    wrong = [
        f"{place(path, number)}: {line.strip()[:100]}"
        for path in text_files()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if path != Path(__file__)
        and (machine.search(line) or (home.search(line) and "tests" not in path.parts))
    ]
    assert wrong == []


def test_every_text_file_ends_with_a_newline_and_holds_no_tabs_where_yaml_forbids_them() -> None:
    wrong = []
    for path in text_files():
        text = path.read_text(encoding="utf-8")
        if text and not text.endswith("\n"):
            wrong.append(f"{place(path)}: no newline at the end")
        if path.suffix in (".yaml", ".yml") and "\t" in text:
            wrong.append(f"{place(path)}: a tab")
    assert wrong == []


def test_every_verb_and_every_kind_is_a_module_of_its_own() -> None:
    from phoenix_hypervisor.cli import VERBS

    # a verb that is a word of Python's own has a module with a `_`: import_.py
    modules_of_verbs = {path.stem.removesuffix("_") for path in (PACKAGE / "cli").glob("*.py")}
    assert set(VERBS) <= modules_of_verbs
