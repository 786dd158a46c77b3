"""Locales: generated, named in /etc/locale.gen, and the default."""

from typing import NamedTuple

from phoenix_hypervisor.kinds.locale import NOTE

# `locale -a` twice: a pipe ends as its last part does
LOOK = f"""\
if [ -e {NOTE} ]; then echo noted; else echo foreign; fi
there=$(locale -a) || exit 3
printf 'have %s\\n' $there
sed -n 's/^LANG=/lang /p' /etc/default/locale 2>/dev/null | tr -d '"'
sed -n 's/^\\([a-zA-Z].*\\) UTF-8 *$/listed \\1/p' /etc/locale.gen 2>/dev/null
:
"""


class Found(NamedTuple):
    """What there is."""

    noted: bool
    default: str
    generated: set[str]
    """As `locale -a` writes them: `en_US.utf8`."""
    listed: set[str]


def test_present(host, locale):
    found = _found(host)
    assert (found.noted or (locale.present and _right(found, locale))) == locale.present


def test_default(host, locale):
    assert {"default": _found(host).default} == {"default": locale.default}


def test_generated(host, locale):
    found = _found(host)
    actual = {f"locale {name}": "there" if _there(found, name) else "missing" for name in locale.names}
    assert actual == dict.fromkeys(actual, "there")


def test_listed(host, locale):
    """What /etc/locale.gen does not name is gone after the package's next update."""
    found = _found(host)
    actual = {f"listed {name}": name in found.listed for name in locale.names}
    assert actual == dict.fromkeys(actual, True)


def owned(host):
    """The host's own, if we set it. There is one for each host, whatever it is called."""
    return {"default"} if _found(host).noted else set()


def _right(found, locale):
    return found.default == locale.default and all(_there(found, name) for name in locale.names)


def _there(found, name):
    return name.removesuffix(".UTF-8") + ".utf8" in found.generated


def _found(host):
    rows = [line.partition(" ")[::2] for line in host.run_expect([0], LOOK).stdout.splitlines()]
    default = next((rest for word, rest in rows if word == "lang"), "")
    generated = {rest for word, rest in rows if word == "have"}
    return Found(("noted", "") in rows, default, generated, {rest for word, rest in rows if word == "listed"})
