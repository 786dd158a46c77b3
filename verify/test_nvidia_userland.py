"""NVIDIA's libraries in a guest: of the version of its node's driver, reaching the cards that it has."""

import pytest

from phoenix_hypervisor.dialects import dpkg, nvidia
from phoenix_hypervisor.kinds.nvidia_userland import NOTE

RUNFILE = "test ! -e /var/lib/nvidia/log || head -n 1 /var/lib/nvidia/log"
PACKAGES = rf"""
list=$(dpkg-query -W -f '{dpkg.FORMAT}') || exit 3
printf '%s\n' "$list" | awk -F '\t' '
    $1 ~ /^.[iWt]/ && $2 ~ /^(libnvidia-compute|nvidia-utils|libcuda1|nvidia-driver|nvidia-smi)/ {{ found++ }}
    END {{ print found + 0 }}'
"""
"""How many packages have such libraries, whoever made them."""
PROGRAMS = "if command -v nvidia-smi >/dev/null; then nvidia-smi -h; fi"
PYTHON = "if command -v python3 >/dev/null; then echo there; else echo missing; fi"
CARDS = r"""
status=0
if command -v nvidia-smi >/dev/null; then
    nvidia-smi -L || status=$?  # first: it wakes cards that do not know their UUID yet
fi
for node in /dev/nvidia[0-9]*; do
    [ ! -c "$node" ] || echo "node ${node#/dev/nvidia}"
done
for file in /proc/driver/nvidia/gpus/*/information; do
    [ ! -e "$file" ] || sed -n 's/^GPU UUID: */uuid /p; s/^Device Minor: */minor /p' "$file"
done
exit "$status"
"""
ALLOCATE = """\
import ctypes
cuda = ctypes.CDLL("libcuda.so.1")
def call(name, *arguments):
    status = getattr(cuda, name)(*arguments)
    if status:
        raise SystemExit("%s: error %d" % (name, status))
number, memory, context = ctypes.c_int(), ctypes.c_void_p(), ctypes.c_void_p()
call("cuInit", 0)
call("cuDeviceGetCount", ctypes.byref(number))
for n in range(number.value):
    device = ctypes.c_int()
    call("cuDeviceGet", ctypes.byref(device), n)
    call("cuDevicePrimaryCtxRetain", ctypes.byref(context), device)
    call("cuCtxSetCurrent", context)
    call("cuMemAlloc_v2", ctypes.byref(memory), ctypes.c_size_t(1 << 20))
    call("cuMemFree_v2", memory)
    call("cuDevicePrimaryCtxRelease_v2", device)
print("allocated on", number.value)
"""
FULL = "error 2"
"""CUDA_ERROR_OUT_OF_MEMORY: the card was reached, and others have all of it."""


def test_present(host, nvidia_userland):
    assert bool(_installed(host)) == nvidia_userland.present


@pytest.mark.precondition
def test_none_from_packages(host, nvidia_userland):
    assert {"source": _source(host)} == {"source": "runfile"}


def test_source(host, nvidia_userland):
    assert {"source": _source(host)} == {"source": "runfile"}


def test_version(host, nvidia_userland):
    """What the programs say, and what was installed: the version of the node's driver."""
    said = host.run_expect([0], PROGRAMS).stdout
    programs = said.partition("System Management Interface -- v")[2].split()
    actual = {"version": programs[0] if programs else "", "version installed": _installed(host)}
    assert actual == dict.fromkeys(actual, nvidia_userland.release.version)


def test_cards(host, nvidia_userland):
    """Those whose nodes the guest has; a guest without any, like a layer, cannot ask."""
    given, listed = nvidia.in_guest(host.run_expect([0, 6, 9, 12, 18], CARDS).stdout)
    if not given:
        pytest.skip("the guest has no card")
    assert {"cards": listed} == {"cards": given}


@pytest.mark.probe
def test_allocation(host, nvidia_userland):
    """Every card that the guest has gives it memory."""
    given, _ = nvidia.in_guest(host.run_expect([0, 6, 9, 12, 18], CARDS).stdout)
    if not given:
        pytest.skip("the guest has no card")
    if host.run_expect([0], PYTHON).stdout.strip() == "missing":
        pytest.skip("the guest has no python3")
    answer = host.run_expect([0, 1], "timeout 60 python3 -c %s", ALLOCATE)
    said = (answer.stdout + answer.stderr).strip().splitlines()[-1]
    works = f"allocated on {len(given)}"
    assert {"cuda": works if FULL in said else said} == {"cuda": works}


def owned(host):
    """The libraries that we installed."""
    return {"libraries"} if host.run_expect([0, 1], "test -e %s", NOTE).rc == 0 else set()


def _installed(host):
    """The version that was installed out of a runfile; empty if none was."""
    return host.run_expect([0], RUNFILE).stdout.strip()


def _source(host):
    return "packages" if host.run_expect([0], PACKAGES).stdout.strip() != "0" else "runfile"
