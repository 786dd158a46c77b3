"""Words of the kernel's command line: for the next boot, read by the boot loader, in the running kernel."""

import pytest

from phoenix_hypervisor.dialects import bootloader, cmdline


def test_present(host, kernel_cmdline):
    boot = seen(host, kernel_cmdline)
    by_others = cmdline.in_effect(kernel_cmdline.wanted(boot.cpu), boot.of_others(kernel_cmdline.name))
    found = bool(boot.own(kernel_cmdline.name)) or (kernel_cmdline.present and by_others)
    assert found == kernel_cmdline.present


@pytest.mark.precondition
def test_nobody_says_otherwise(host, kernel_cmdline):
    assert {"foreign": _foreign(host, kernel_cmdline)} == {"foreign": ""}


def test_foreign(host, kernel_cmdline):
    """No word of somebody else's says otherwise."""
    assert {"foreign": _foreign(host, kernel_cmdline)} == {"foreign": ""}


def test_words(host, kernel_cmdline):
    """Ours, where others do not say it already."""
    boot = seen(host, kernel_cmdline)
    wanted = [str(one) for one in kernel_cmdline.wanted(boot.cpu)]
    assert {"words": list(boot.own(kernel_cmdline.name)) or wanted} == {"words": wanted}


def test_next_boot(host, kernel_cmdline):
    """All files together, of which the last word counts."""
    boot = seen(host, kernel_cmdline)
    wanted = kernel_cmdline.wanted(boot.cpu)
    actual = {f"boot {one.name}": cmdline.counts(one, boot.next) for one in wanted}
    assert actual == {f"boot {one.name}": str(one) for one in wanted}


def test_read_by_the_loader(host, kernel_cmdline):
    boot = seen(host, kernel_cmdline)
    unread = boot.unread and bool(boot.own(kernel_cmdline.name))
    assert {"read_by_the_loader": not unread} == {"read_by_the_loader": True}


def test_running(host, kernel_cmdline):
    boot = seen(host, kernel_cmdline)
    wanted = kernel_cmdline.wanted(boot.cpu)
    actual = {f"running {one.name}": cmdline.counts(one, boot.running) for one in wanted}
    assert actual == {f"running {one.name}": str(one) for one in wanted}


def seen(host, kernel_cmdline):
    """What the node boots with, and all words."""
    return bootloader.parse(host.run_expect([0], bootloader.QUESTION).stdout)


def owned(host):
    """Parameters of which we noted words that are still there."""
    boot = bootloader.parse(host.run_expect([0], bootloader.QUESTION).stdout)
    return {name for name in boot.names if boot.own(name)}


def _foreign(host, kernel_cmdline):
    boot = seen(host, kernel_cmdline)
    if boot.missing:
        return f"{boot.missing} is not there"
    others = boot.of_others(kernel_cmdline.name)
    said = [
        str(found)
        for one in kernel_cmdline.wanted(boot.cpu)
        for found in cmdline.named(others, one.name)
        if not cmdline.means(found, one)
    ]
    return f"the command line says {' '.join(said)} as well" if said else ""
