"""Environments of Python: ours, of the locked packages and interpreter, that work; no old builds."""

import shlex
from typing import NamedTuple

import pytest

from phoenix_hypervisor.resource import made

LOOK = r"""
path=%s builds=%s
current=
if [ -h "$path" ]; then
    current=$(readlink "$path") || exit 3
    echo "link $current"
elif [ -e "$path" ]; then echo other
else echo missing
fi
if [ -x "$path/bin/python" ]; then
    echo "python $("$path/bin/python" -V 2>&1)"
fi
for record in "$path"/lib/python3*/site-packages/*.dist-info/RECORD; do
    [ ! -e "$record" ] || { record=${record%%%%/RECORD}; echo "package ${record##*/}"; }
done
old=0
for build in "$builds"*; do
    case ${build#"$builds"} in *[!0-9a-f]*) continue;; esac
    if [ -d "$build" ] && [ "$build/env" != "$current" ] && ! grep -qsF "$build/" /proc/[0-9]*/maps; then
        old=$((old + 1))
    fi
done
echo "old $old"
"""
IMPORTS = """\
for module in %s; do
    status=0
    said=$(timeout 100 %s -c "import $module" 2>&1) || status=$?
    case $status in
    0) said= ;;
    124) said='it took too long' ;;
    126 | 127) exit 127 ;;
    esac
    printf '%%s %%s\\n' "$module" "$(printf '%%s\\n' "$said" | tail -n 1)"
done
"""
"""Prints of each module its name, and the last line of what went wrong."""
# What a clone took over from its layer is the layer's; here as everywhere, whoever asks leaves that out.
OURS = f"cat {made('python_environment', '*')} 2>/dev/null || :"


class Found(NamedTuple):
    """What lies at the path, and what it is made of."""

    sort: str
    """`link`, `other` or `missing`."""
    target: str
    python: str
    packages: dict[str, str]
    """Package → version."""
    old: str
    """How many builds there are besides that nobody uses."""


def test_present(host, python_environment):
    assert (_found(host, python_environment).sort != "missing") == python_environment.present


def test_foreign(host, python_environment):
    """What we did not make is not ours to replace."""
    found = _found(host, python_environment)
    ours = found.target.startswith(python_environment.builds) and found.target.endswith("/env")
    what = "" if ours else "somebody else's link" if found.sort == "link" else "no environment of ours"
    assert {"foreign": what} == {"foreign": ""}


def test_lock(host, python_environment):
    """Built out of the declared lock file and interpreter; a build anew of the same has a `b` behind it."""
    built = _found(host, python_environment).target.removeprefix(python_environment.builds)
    assert {"lock": built.removesuffix("/env")[: len(python_environment.digest)]} == {
        "lock": python_environment.digest
    }


def test_python(host, python_environment):
    """It runs, and says which it is."""
    said = _found(host, python_environment).python
    assert {"python": said.removeprefix("Python ")} == {"python": python_environment.python}


def test_packages(host, python_environment):
    """By the environment's own records: those of the lock file, and no others."""
    found, wanted = _found(host, python_environment).packages, python_environment.packages
    names = sorted({*found, *wanted})
    actual = {f"package {name}": found.get(name, "") for name in names}
    assert actual == {f"package {name}": wanted.get(name, "") for name in names}


def test_old_builds(host, python_environment):
    assert {"old builds": _found(host, python_environment).old} == {"old builds": "0"}


@pytest.mark.probe
def test_imports(host, python_environment):
    """Each declared module is imported, by its interpreter; the first import reads a gigabyte from a disk."""
    if not python_environment.imports:
        pytest.skip("nothing is declared that it should import")
    python = shlex.quote(f"{python_environment.name}/bin/python")
    said = host.run_expect([0], IMPORTS % (shlex.join(python_environment.imports), python)).stdout
    rows = [line.partition(" ") for line in said.splitlines()]
    assert {module: trouble for module, _, trouble in rows} == dict.fromkeys(python_environment.imports, "")


def owned(host):
    """Environments that we noted as made by us."""
    return set(host.run_expect([0], OURS).stdout.splitlines())


def _found(host, python_environment):
    words = shlex.quote(python_environment.name), shlex.quote(python_environment.builds)
    lines = host.run_expect([0], LOOK % words).stdout
    rows = [line.partition(" ")[::2] for line in lines.splitlines()]
    packages = {}
    for word, rest in rows:
        if word == "package":
            name, _, version = rest.removesuffix(".dist-info").rpartition("-")
            packages[name.lower().replace("_", "-").replace(".", "-")] = version
    sort = next((word for word, _ in rows if word in ("link", "other", "missing")), "missing")
    target = next((rest for word, rest in rows if word == "link"), "")
    python = next((rest for word, rest in rows if word == "python"), "")
    old = next((rest for word, rest in rows if word == "old"), "")
    return Found(sort, target, python, packages, old)
