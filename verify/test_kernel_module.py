"""Kernel modules: loaded, now and at boot, with the declared options."""

from phoenix_hypervisor.dialects import modprobe

LOAD = "/etc/modules-load.d/phoenix-"
FILES = "grep -sH '' /etc/modules-load.d/*.conf /etc/modprobe.d/zz-phoenix-module-*.conf"
CONFIG = "modprobe --showconfig"
# Modes and values of a module's parameters; what is part of the kernel itself has a folder there, too.
MODULE = """\
cd /sys/module || exit 9
[ -d {0} ] || exit 0
echo loaded
[ -d {0}/parameters ] || exit 0
cd {0}/parameters && find . -type f -printf 'mode %m %f\\n' && {{ grep -sH '' * || :; }}
"""


def test_present(host, kernel_module):
    assert (kernel_module.load_file in _files(host)) == kernel_module.present


def test_at_boot(host, kernel_module):
    names = [line for line in _files(host)[kernel_module.load_file] if line and line[0] not in "#;"]
    assert {"at_boot": names} == {"at_boot": [kernel_module.name]}


def test_loaded(host, kernel_module):
    assert {"loaded": "loaded" in _module(host, kernel_module)} == {"loaded": True}


def test_options_at_boot(host, kernel_module):
    """What our file says."""
    text = "\n".join(_files(host).get(kernel_module.options_file, []))
    actual = {f"boot {name}": value for name, value in modprobe.options(text, kernel_module.name).items()}
    assert actual == {f"boot {name}": value for name, value in kernel_module.options.items()}


def test_options_of_all_files(host, kernel_module):
    """What the next load sets, all files of /etc/modprobe.d taken together."""
    options = modprobe.options(host.run_expect([0], CONFIG).stdout, kernel_module.name)
    actual = {f"all_files {name}": options.get(name) for name in kernel_module.options}
    assert actual == {f"all_files {name}": value for name, value in kernel_module.options.items()}


def test_options_that_can_be_changed(host, kernel_module):
    actual, desired = _parameters(host, kernel_module, "running", changeable=True)
    assert actual == desired


def test_options_that_cannot_be_changed(host, kernel_module):
    """What the module took when it was loaded, and will take next when it is loaded again."""
    actual, desired = _parameters(host, kernel_module, "fixed", changeable=False)
    assert actual == desired


def test_initramfs(host, kernel_module):
    """The module may be loaded from an initramfs, which has its own copy of the options."""
    stale = []
    if kernel_module.options:
        command = "find /boot -maxdepth 1 -name 'initrd.img-*' ! -newer %s"
        stale = host.run_expect([0], command, kernel_module.options_file).stdout.split()
    assert {"initramfs": stale} == {"initramfs": []}


def owned(host):
    """Modules in files of our own."""
    ours = (file for file in _files(host) if file.startswith(LOAD))
    return {file.removeprefix(LOAD).removesuffix(".conf") for file in ours}


def _files(host):
    found = {}
    for line in host.run_expect([0, 1, 2], FILES).stdout.splitlines():
        path, _, content = line.partition(":")
        found.setdefault(path, []).append(content.strip())
    return found


def _module(host, kernel_module):
    return host.run_expect([0], MODULE.format(kernel_module.name)).stdout.splitlines()


def _parameters(host, kernel_module, word, changeable):
    """The declared options the loaded module shows: as they are, and as it would show the declared ones."""
    lines = _module(host, kernel_module)
    modes = {
        words[2]: int(words[1], 8) for line in lines if len(words := line.split()) == 3 and words[0] == "mode"
    }
    shown = dict(line.partition(":")[::2] for line in lines if ":" in line)
    declared = {
        name: value
        for name, value in kernel_module.options.items()
        if name in shown and bool(modes[name] & 0o222) == changeable
    }
    actual = {f"{word} {name}": shown[name] for name in declared}
    return actual, {
        f"{word} {name}": modprobe.parameter(value, shown[name]) for name, value in declared.items()
    }
