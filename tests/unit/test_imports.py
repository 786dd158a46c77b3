"""The shape of the house, from the syntax trees: imports point down, kinds are pure, and the like."""

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "generator/phoenix_hypervisor"
LAYERS = (
    {"errors"},
    {"secrets", "graph", "dialects"},
    {"resource", "process", "fields"},
    {"guestverbs"},
    {"containers", "firewall", "registry", "secretstore"},
    {"config", "kinds", "transport", "render"},
    {"inspect"},
    {"converge", "observe", "lab"},
    {"operate"},
    {"cli"},
)
"""From the ground up. A part imports from layers below its own, never from its own or above."""
PURE = {
    "kinds": {"collections", "typing", "shlex", "re", "ipaddress", "hashlib", "pydantic"},
    "dialects": {"collections", "typing", "re", "ipaddress", "json", "functools", "urllib.parse", "Crypto"}
    | {"base64", "binascii", "hashlib", "shlex"},
}
"""What may be imported besides our own parts where nothing may touch a file, a process or the network."""
IMPURE = {"open", "exec", "eval", "print", "input", "__import__"}
STARTS_PROCESSES = {"subprocess", "pty", "multiprocessing", "asyncio"}


def modules(*parts):
    """Our own modules; the lab's stand-ins are programs of their own."""
    found = [path for part in parts or ("",) for path in (SOURCE / part).rglob("*.py")]
    return [path for path in found if "standins" not in path.parts and "__pycache__" not in path.parts]


def part_of(path):
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imports(path):
    """(absolute dotted name, line) of each import that is made when the module runs, lazy ones too."""
    package = ["phoenix_hypervisor", *path.relative_to(SOURCE).parts[:-1]]
    for node in running(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield from ((f"{base}.{alias.name}", node.lineno) for alias in node.names)


def running(tree):
    """Every node below `tree` but for what stands under `if TYPE_CHECKING`."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            continue
        yield node
        yield from running(node)


def test_every_part_has_its_layer():
    there = {part_of(path) for path in modules()} - {"__init__"}
    assert there == set().union(*LAYERS)


def test_imports_point_down_only():
    height = {part: number for number, layer in enumerate(LAYERS) for part in layer}
    wrong = []
    for path in modules():
        own = part_of(path)
        for name, line in imports(path):
            words = name.split(".")
            other = words[1] if words[0] == "phoenix_hypervisor" and words[1] in height else own
            if other != own and height[other] >= height[own]:
                wrong.append(f"{path.relative_to(SOURCE)}:{line} imports {name}")
    assert wrong == []


@pytest.mark.parametrize("part", PURE)
def test_kinds_and_dialects_are_pure(part):
    wrong = []
    for path in modules(part):
        for name, line in imports(path):
            own = name.startswith("phoenix_hypervisor.") and name.split(".")[1] != "kinds"
            if not own and not any(f"{name}.".startswith(f"{allowed}.") for allowed in PURE[part]):
                wrong.append(f"{path.relative_to(SOURCE)}:{line} imports {name}")
        tree = ast.parse(path.read_text(encoding="utf-8"))
        called = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
        names = {node.id for node in called if isinstance(node, ast.Name)} & IMPURE
        wrong += [f"{path.relative_to(SOURCE)} calls {name}" for name in sorted(names)]
    assert wrong == []


@pytest.mark.parametrize(
    ("library", "parts"),
    [
        ("nornir", {"inspect", "converge"}),
        ("pytest", {"inspect"}),
        ("testinfra", {"inspect"}),
        ("click", {"cli", "observe"}),
    ],
)
def test_only_these_parts_know_the_library(library, parts):
    knowing = {
        part_of(path) for path in modules() for name, _ in imports(path) if name.split(".")[0] == library
    }
    assert knowing <= parts


def test_only_one_module_starts_processes():
    starting = {
        path.relative_to(SOURCE).as_posix()
        for path in modules()
        if any(name.split(".")[0] in STARTS_PROCESSES for name, _ in imports(path))
    }
    assert starting == {"process.py"}


def test_only_one_module_reveals_secrets():
    revealing = set()
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr == "reveal"
            ):
                revealing.add(path.relative_to(SOURCE).as_posix())
    assert revealing <= {"process.py", "secrets.py"}
