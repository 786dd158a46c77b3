"""smbclient: the lab's own shares, with the daemon's configuration and real permissions."""

import sys

import model
from hints import Callable
from samba_files import Commands
from samba_session import Denied, Session, running

SILENT = ("prompt", "recurse", "lowercase")
ARGUMENTS = {"ls": 1, "put": 2, "get": 2, "rm": 1, "cd": 1, "mkdir": 1, "rmdir": 1}
NAMES = {"dir": "ls", "del": "rm", "md": "mkdir", "rd": "rmdir"}


class Call:
    """The command line, taken apart."""

    def __init__(self, argv: list[str]) -> None:
        self.user = ""
        self.password: str | None = None
        self.named = self.nothing = self.listing = self.plain = False
        self.commands = self.folder = ""
        self.auth: str | None = None
        self.port = "445"
        self.service = ""
        words = list(argv)
        while words:
            self._take(words.pop(0), words, argv)

    def _take(self, word: str, words: list[str], argv: list[str]) -> None:
        long = {"--user": "-U", "--command": "-c", "--authentication-file": "-A", "--list": "-L",
        "--port": "-p",
                "--directory": "-D", "--password": "--password", "--max-protocol": "-m",
                "--workgroup": "-W"}  # fmt: skip
        name, equals, value = word.partition("=")
        if name in long and word.startswith("--"):
            self._valued(long[name], value if equals else words.pop(0))
        elif word in ("-N", "--no-pass"):
            self.nothing = True
        elif word in ("-g", "--grepable"):
            self.plain = True
        elif word[:2] in ("-U", "-c", "-A", "-L", "-p", "-D", "-m", "-W") and (len(word) > 2 or words):
            self._valued(word[:2], word[2:] or words.pop(0))
        elif word.startswith("-"):
            model.not_simulated("smbclient", argv)
        elif not self.service:
            self.service = word.replace("\\", "/")
        else:
            self.password = word

    def _valued(self, option: str, value: str) -> None:
        if option == "-U":
            user, percent, password = value.partition("%")
            self.user, self.named = user.replace("\\", "/").rpartition("/")[2], True
            self.password = password if percent else self.password
        elif option == "-L":
            self.listing, self.service = True, "//" + value.strip("/\\")
        elif option == "--password":
            self.password = value
        elif option in ("-c", "-A", "-p", "-D"):
            setattr(self, {"-c": "commands", "-A": "auth", "-p": "port", "-D": "folder"}[option], value)

    @property
    def host(self) -> str:
        return self.service.strip("/").partition("/")[0]

    @property
    def share(self) -> str:
        return self.service.strip("/").partition("/")[2].strip("/")


def main(argv: list[str]) -> int:
    call = Call(argv)
    if not call.service or (not call.listing and not call.commands):
        model.not_simulated("smbclient", argv)
    if not call.listing and not call.share:
        print("\n" + call.service.replace("/", "\\") + ": Not enough '\\' characters in service")
        return 1
    if call.auth is not None and not _authentication(call):
        print("Failed to set parse authentication file!", file=sys.stderr)
        print("ERROR: Unable to open credentials file!")
        return 1
    if call.password is None:
        call.password = "" if call.nothing else _ask(call)
    problem = _unreachable(call)
    if problem:
        print(f"do_connect: Connection to {call.host} failed (Error NT_STATUS_{problem})", file=sys.stderr)
        return 1
    with model.change() as state:
        return _talk(call, state, argv)


def _authentication(call: Call) -> bool:
    """Read `username = …` and `password = …`; the file may be /dev/stdin."""
    path = call.auth or ""
    try:
        with open(path if path.startswith("/dev/") else model.path(path), encoding="utf-8") as file:
            rows = [line.rstrip("\n").partition("=") for line in file]
    except OSError:
        return False
    for key, _, value in rows:
        if key.strip() == "username":
            call.user, call.named = value.strip(), True
        elif key.strip() == "password":
            call.password = value.strip()
    return True


def _ask(call: Call) -> str:
    import os

    import samba_config

    call.user, call.named = call.user or os.environ.get("USER", "root"), True
    try:
        workgroup = samba_config.load().setting("workgroup")
    except samba_config.Failed:
        workgroup = "WORKGROUP"
    print(f"Password for [{workgroup}\\{call.user}]:", end="", flush=True)
    typed = sys.stdin.readline()
    if typed:
        print()
    return typed.rstrip("\n")


def _unreachable(call: Call) -> str | None:
    from exports_table import address_of

    state = model.read()
    if call.host != state.get("hostname") and address_of(call.host) is None:
        return "INVALID_ADDRESS"
    return None if running(state) and call.port in ("445", "139") else "CONNECTION_REFUSED"


def _talk(call: Call, state: model.Model, argv: list[str]) -> int:
    from exports_table import address_of

    session = Session(state, address_of(call.host) or "127.0.0.1")
    try:
        session.log_in(call.user if call.named else "", call.password or "")
        if call.listing:
            _list(session, call.plain)
            return 0
        share = session.connect(call.share)
    except Denied as denied:
        print(denied)
        return 1
    return _run(call, Commands(share, state), argv)


def _list(session: Session, plain: bool) -> None:
    rows = session.listing()
    if plain:
        print("\n".join(f"{sort}|{name}|{comment}" for name, sort, comment in rows))
    else:
        print("\n\tSharename       Type      Comment\n\t---------       ----      -------")
        for name, sort, comment in rows:
            print(f"\t{name:<15} {sort:<10}{comment}")
    print("SMB1 disabled -- no workgroup available")


def _run(call: Call, commands: Commands, argv: list[str]) -> int:
    status = commands.cd(call.folder) if call.folder else 0
    for words in _split(call.commands):
        verb = NAMES.get(words[0], words[0])
        if verb in ("quit", "exit", "q"):
            break
        if verb in SILENT:
            continue
        if verb not in ARGUMENTS:
            model.not_simulated("smbclient", argv)
        step: Callable[..., int] = getattr(commands, verb)
        status = step(*words[1 : 1 + ARGUMENTS[verb]])
    return status


def _split(text: str) -> list[list[str]]:
    """Split `put "a b" c; ls` into commands of words."""
    commands: list[list[str]] = [[]]
    word, inside, began = "", False, False
    for sign in text + ";":
        if sign == '"':
            inside, began = not inside, True
        elif sign in " \t\n;" and not inside:
            commands[-1] += [word] if word or began else []
            word, began = "", False
            if sign == ";":
                commands.append([])
        else:
            word += sign
    return [command for command in commands if command]
