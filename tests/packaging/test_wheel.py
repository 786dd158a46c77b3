"""The wheel is enough: what it holds, and a site converged with it where the source cannot be imported."""

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from phoenix_hypervisor import __version__, registry

PROJECT = Path(__file__).parents[2]
BUILD = ("-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index", "--no-build-isolation")
INSTALL = ("install", "--quiet", "--no-deps", "--no-index", "--no-compile")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    argv = [sys.executable, *BUILD, "--wheel-dir", str(folder), str(PROJECT)]
    subprocess.run(argv, check=True, timeout=600, cwd=folder)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """A virtual environment with the wheel; what it depends on comes from the one the tests run in."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder, symlinks=True)
    python = folder / "bin/python"
    subprocess.run([sys.executable, "-m", "pip", "--python", str(python), *INSTALL, str(wheel)], check=True)
    # A path in a .pth file is searched, but the .pth files in there are not read: no editable install.
    site = Path(sysconfig.get_path("purelib", vars={"base": str(folder)}))
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder


@pytest.fixture
def phoenix(installed, tmp_path):
    """Runs `phoenix` in an empty folder: status, stdout, stderr."""
    home, work = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    work.mkdir()
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PHOENIX_"))}
    environment = {**kept, "HOME": str(home), "PATH": f"{installed / 'bin'}:{os.environ['PATH']}"}

    def run(*words):
        argv = [str(installed / "bin" / words[0]), *words[1:]]
        ended = subprocess.run(
            argv,
            check=False,
            cwd=work,
            env=environment,
            capture_output=True,
            text=True,
            timeout=600,
            stdin=subprocess.DEVNULL,
        )
        return ended.returncode, ended.stdout, ended.stderr

    yield run
    assert list(home.iterdir()) == []


def test_the_wheel_holds_the_three_files_of_every_kind_and_nothing_compiled(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    for kind, home in registry.homes().items():
        assert f"phoenix_hypervisor/kinds/{kind}.py" in names
        assert f"phoenix_hypervisor/verify/test_{kind}.py" in names
        for template in home.templates.iterdir():
            assert f"phoenix_hypervisor/templates/{kind}/{template.name}" in names
    assert "phoenix_hypervisor/py.typed" in names
    assert "phoenix_hypervisor/observe/alerts.yaml" in names
    assert "phoenix_hypervisor/observe/dashboard.json" in names
    assert "phoenix_hypervisor/lab/standins/tool_zfs.py" in names
    assert {
        name for name in names if name.endswith(".pyc") or name.startswith(("tests/", "generator/"))
    } == set()


def test_the_source_is_not_what_is_imported(phoenix, installed):
    status, out, err = phoenix(
        "python", "-c", "import phoenix_hypervisor; print(phoenix_hypervisor.__file__)"
    )
    assert (status, err) == (0, "")
    assert Path(out.strip()).is_relative_to(installed)


def test_the_command_says_its_version(phoenix):
    assert phoenix("phoenix", "--version") == (0, f"phoenix, version {__version__}\n", "")


def test_a_site_is_made_built_verified_and_left_alone(phoenix):
    assert phoenix("phoenix", "init")[0] == 0
    status, _, said = phoenix("phoenix", "validate")
    assert (status, said) == (0, "site `work`: 1 node, 6 resources, no errors\n")
    assert phoenix("phoenix", "lab", "up") == (0, "pve: made, 2 disks\n", "")
    assert phoenix("phoenix", "plan")[0] == 2
    status, out, said = phoenix("phoenix", "apply", "--yes")
    assert (status, out.splitlines()[-1]) == (0, "9 steps run; 6 resources as declared"), said
    status, out, said = phoenix("phoenix", "verify", "-q")
    assert status == 0, out + said
    assert " passed" in out.splitlines()[-1]
    assert phoenix("phoenix", "apply") == (0, "6 resources as declared, nothing to do\n", "")


def test_every_module_of_the_source_is_in_the_wheel(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    source = PROJECT / "generator"
    missing = {
        path.relative_to(source).as_posix()
        for path in source.rglob("*.py")
        if "__pycache__" not in path.parts
    } - names
    assert missing == set()
