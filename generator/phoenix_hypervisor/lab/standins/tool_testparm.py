"""testparm: check smb.conf and print it in canonical form."""

import sys

import model
import samba_config
from samba_parameters import SHARE, canonical

WEAK = "Weak crypto is allowed by GnuTLS (e.g. NTLM as a compatibility fallback)"
ROLES = {"auto": "STANDALONE", "standalone server": "STANDALONE", "member server": "DOMAIN_MEMBER"}


def main(argv: list[str]) -> int:
    wanted: dict[str, str] = {}
    files = []
    words = list(argv)
    while words:
        word = words.pop(0)
        name, equals, value = word.partition("=")
        if name in ("--parameter-name", "--section-name"):
            wanted[name] = value if equals else words.pop(0) if words else ""
        elif word.startswith("-"):
            if word not in ("-s", "--suppress-prompt", "-l", "--skip-logic-checks"):
                model.not_simulated("testparm", argv)
        else:
            files.append(word)
    if len(files) > 1 or not {"-s", "--suppress-prompt"} & set(argv):
        model.not_simulated("testparm", argv)
    file = files[0] if files else samba_config.DEFAULT_FILE
    say(f"Load smb config files from {file}")
    try:
        config = samba_config.load(file)
    except samba_config.Failed as failed:
        for message in failed.messages:
            say(message)
        say("Error loading services.")
        return 1
    for message in config.messages:
        say(message)
    say(f"Loaded services file OK.\n{WEAK}\n")
    if wanted:
        return _part(config, wanted.get("--section-name"), wanted.get("--parameter-name"))
    say(f"Server role: ROLE_{ROLES.get(config.setting('server role'), 'STANDALONE')}\n")
    print(samba_config.text_of(config), end="")
    return 0


def say(text: str) -> None:
    print(text, file=sys.stderr)


def _part(config: samba_config.Config, section: str | None, parameter: str | None) -> int:
    """Print one section, one parameter, or one parameter of one section."""
    share = None if section in (None, "global") else config.share(section or "")
    if section not in (None, "global") and share is None:
        say(f"Unknown section {section}")
        return 1
    if parameter is None:
        whole = samba_config.text_of(config).partition("# Global parameters\n")[2].split("\n\n\n")
        chosen = next(part for part in whole if part.lower().startswith(f"[{section}]".lower()))
        print(("# Global parameters\n" if share is None else "\n") + chosen.rstrip("\n"))
        return 0
    found = canonical(parameter)
    if found is None:
        say(f'Unknown parameter encountered: "{parameter}"')
    if found is None or (share is not None and found[0] not in SHARE):
        say(f"Parameter {parameter} unknown for section {section or 'global'}")
        return 1
    name, inverted = found
    value = config.value(share or {}, name) if name in SHARE else config.setting(name)
    if inverted:
        value = "No" if value == "Yes" else "Yes"
    if name == "netbios name" and not value:
        value = str(model.read().get("hostname", "localhost")).upper()[:15]
    print(value)
    return 0
