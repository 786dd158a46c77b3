"""What a Samba parameter is: its canonical name, how its value is read, and how testparm writes it back."""

import samba_defaults as tables

YES = frozenset(("yes", "true", "on", "1"))
NO = frozenset(("no", "false", "off", "0"))

_SYNONYMS = {
    "browsable": "browseable", "public": "guest ok", "only guest": "guest only", "create mode": "create mask",
    "directory mode": "directory mask", "directory": "path", "group": "force group",
    "allow hosts": "hosts allow",
    "deny hosts": "hosts deny", "print ok": "printable", "printer": "printer name", "exec": "preexec",
    "vfs object": "vfs objects", "casesignames": "case sensitive", "smb encrypt": "server smb encrypt",
    "debuglevel": "log level", "debug timestamp": "timestamp logs", "root": "root directory",
    "root dir": "root directory", "prefered master": "preferred master",
    "min protocol": "server min protocol",
    "max protocol": "server max protocol", "protocol": "server max protocol", "lock dir": "lock directory",
    "preload": "auto services", "default": "default service", "private directory": "private dir",
    "unix extensions": "smb1 unix extensions", "winbind gid": "idmap gid", "winbind uid": "idmap uid",
    "printcap": "printcap name",
}  # fmt: skip
_INVERTED = ("writeable", "writable", "write ok")
_LISTS = frozenset((
    "hosts allow", "hosts deny", "valid users", "invalid users", "admin users", "read list", "write list",
    "vfs objects", "interfaces", "dns forwarder", "cluster addresses", "usershare prefix allow list",
    "usershare prefix deny list", "netbios aliases", "svcctl list", "wins server", "preload modules",
    "eventlog list",
    "winbind nss info", "init logon delayed hosts", "additional dns hostnames", "name resolve order",
    "smb ports",
))  # fmt: skip
_COMMA_LISTS = frozenset((
    "dcerpc endpoint servers", "server services", "client smb3 encryption algorithms", "ntvfs handler",
    "server smb3 encryption algorithms", "client smb3 signing algorithms", "server smb3 signing algorithms",
))  # fmt: skip
_UPPER = frozenset(("workgroup", "netbios name", "realm"))
_OCTAL = frozenset(("create mask", "directory mask", "force create mode", "force directory mode"))
_STRINGS = frozenset(("log level", "rpc server dynamic port range", "nbt client socket address"))
_DEPRECATED = frozenset((
    "acl check permissions", "allocation roundup size", "allow nt4 crypto", "blocking locks",
    "client NTLMv2 auth",
    "client lanman auth", "client plaintext auth", "client schannel", "client use spnego principal",
    "client use spnego", "domain logons", "enable privileges", "encrypt passwords", "idmap backend",
    "idmap gid",
    "idmap uid", "lanman auth", "lsa over netlogon", "nbt client socket address", "null passwords",
    "raw NTLMv2 auth", "reject md5 clients", "server schannel require seal", "server schannel", "syslog only",
    "syslog", "unicode",
))  # fmt: skip

_AUTO = "auto=Auto;yes=Yes;true=Yes;on=Yes;1=Yes;no=No;false=No;off=No;0=No"
_SIGNING = (
    "default=default;no=No;false=No;off=No;0=No;disabled=No;if_required=if_required;yes=if_required;true=if_required;"
    "on=if_required;1=if_required;auto=if_required;enabled=if_required;desired=desired;required=required;"
    "mandatory=required;force=required;forced=required;enforced=required"
)
_PROTOCOLS = (
    "default=default;core=CORE;coreplus=COREPLUS;core+=COREPLUS;lanman1=LANMAN1;lanman2=LANMAN2;nt1=NT1;smb2=SMB2;"
    "smb2_02=SMB2_02;smb2_10=SMB2;smb3=SMB3;smb3_00=SMB3_00;smb3_02=SMB3_02;smb3_11=SMB3"
)
_CHOICES = {
    "server role": "auto=auto;standalone=standalone server;standalone server=standalone server;"
    "member=member server;member server=member server;active directory domain controller="
    "active directory domain controller;classic primary domain controller=classic primary domain controller",
    "security": "auto=AUTO;user=USER;domain=DOMAIN;ads=ADS",
    "map to guest": "never=Never;bad user=Bad User;bad password=Bad Password;bad uid=Bad Uid",
    "strict locking": _AUTO, "case sensitive": _AUTO, "domain master": _AUTO, "preferred master": _AUTO,
    "lm announce": _AUTO, "client schannel": _AUTO, "server schannel": _AUTO,
    "server signing": _SIGNING, "client signing": _SIGNING, "server smb encrypt": _SIGNING,
    "server min protocol": _PROTOCOLS, "server max protocol": _PROTOCOLS, "client min protocol": _PROTOCOLS,
    "client max protocol": _PROTOCOLS,
    "ntlm auth": "ntlmv2-only=ntlmv2-only;no=ntlmv2-only;false=ntlmv2-only;0=ntlmv2-only;"
    "ntlmv1-permitted=ntlmv1-permitted;yes=ntlmv1-permitted;true=ntlmv1-permitted;1=ntlmv1-permitted;"
    "mschapv2-and-ntlmv2-only=mschapv2-and-ntlmv2-only;disabled=disabled",
    "map readonly": "no=no;false=no;0=no;yes=yes;true=yes;1=yes;permissions=permissions;perms=permissions",
    "inherit owner": "no=no;false=no;0=no;yes=windows and unix;true=windows and unix;1=windows and unix;"
    "windows and unix=windows and unix;unix only=unix only",
    "ldap passwd sync": "no=no;yes=yes;only=only",
    "ldap ssl": "no=no;off=no;start tls=start tls;start_tls=start tls",
    "default case": "lower=lower;upper=upper",
    "csc policy": "manual=manual;documents=documents;programs=programs;disable=disable",
    "mangled names": "no=no;yes=yes;illegal=illegal",
    "printing": "sysv=sysv;aix=aix;hpux=hpux;bsd=bsd;qnx=qnx;plp=plp;lprng=lprng;cups=cups;iprint=iprint;"
    "nt=nt;os2=os2",
}  # fmt: skip

# testparm keeps two parameters where an older name of theirs would stand.
_PLACES = {"winbind debug traceid": "debugsyslogformatz", "smbd force process locks": "followsymlinksz"}


class Bad(Exception):  # noqa: N818
    """A value that makes Samba refuse the whole file; the text is its message."""


def key(name: str) -> str:
    """Return the name without case and blanks: `Read  Only` and `readonly` are one parameter."""
    return "".join(sign for sign in name.lower() if not sign.isspace())


def place(name: str) -> str:
    """Return what testparm sorts by."""
    return _PLACES.get(name, "".join(sign for sign in name.lower() if sign.isalnum()))


def _table(yes: str, no: str, empty: str, other: str) -> dict[str, str]:
    found = (
        dict.fromkeys(_names(yes), "Yes") | dict.fromkeys(_names(no), "No") | dict.fromkeys(_names(empty), "")
    )
    for pair in _names(other):
        name, _, value = pair.partition("=")
        found[name] = value
    return found


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.replace("\n", " ").split(";")]


GLOBAL = _table(tables.GLOBAL_YES, tables.GLOBAL_NO, tables.GLOBAL_EMPTY, tables.GLOBAL_OTHER)
SHARE = _table(tables.SHARE_YES, tables.SHARE_NO, tables.SHARE_EMPTY, tables.SHARE_OTHER)
_BY_KEY = {key(name): name for name in (*GLOBAL, *SHARE)} | {key(old): new for old, new in _SYNONYMS.items()}
_INVERTED_KEYS = frozenset(map(key, _INVERTED))


def canonical(name: str) -> tuple[str, bool] | None:
    """Return the parameter's own name and whether the spelling means its opposite; None if unknown."""
    if key(name) in _INVERTED_KEYS:
        return "read only", True
    found = _BY_KEY.get(key(name))
    return (found, False) if found else None


def deprecated(name: str) -> bool:
    return name in _DEPRECATED


def normal(typed: str, name: str, value: str) -> str:
    """Return the value as testparm writes it. `typed` is the name in the file, for messages."""
    default = GLOBAL.get(name, SHARE.get(name, ""))
    if name in _CHOICES:
        choices = dict(pair.split("=") for pair in _CHOICES[name].split(";"))
        if value.lower() not in choices:
            raise Bad(f"WARNING: Ignoring invalid value '{value}' for parameter '{typed}'")
        return choices[value.lower()]
    if name in _OCTAL:
        if not value or set(value[:1]) - set("01234567"):
            raise Bad(f"Invalid octal number {typed}")
        return _octal(typed, value)
    if default in ("Yes", "No"):
        if value.lower() not in YES | NO:
            raise Bad(f"set_variable_helper({value}): value is not boolean!")
        return "Yes" if value.lower() in YES else "No"
    if default.lstrip("-").isdigit() and name not in _STRINGS:
        return _number(name, value)
    if name in _LISTS or name in _COMMA_LISTS:
        words = split(value)
        return (", " if name in _COMMA_LISTS else " ").join(f'"{w}"' if " " in w else w for w in words)
    return value.upper() if name in _UPPER else value


def _octal(typed: str, value: str) -> str:
    if set(value) - set("01234567"):
        raise Bad(f"Invalid octal number {typed}")
    number = int(value, 8)
    return f"0{number:o}" if number > 0o777 else f"{number:04o}"


def _number(name: str, value: str) -> str:
    if not value:
        raise Bad("lp_int(): is called with NULL!")
    digits = value[: len(value) - len(value.lstrip("+-0123456789"))]
    if name == "max log size":
        unit = value[len(digits) :].lower()
        if not digits or unit not in ("", "k", "m", "g"):
            raise Bad(f"set_variable_helper({value}): value is not a valid size specifier!")
        return str(int(digits) * 1024 ** " kmg".index(unit or " "))
    # Like atoi: what follows the digits is dropped, no digits are 0.
    return str(int(digits)) if digits.lstrip("+-").isdigit() else "0"


def split(value: str) -> list[str]:
    """Split a list parameter: blanks and commas separate, double quotes keep together."""
    words, word, inside = [], "", False
    for sign in value + " ":
        if sign == '"':
            inside = not inside
        elif sign in " ,;\t" and not inside:
            words += [word] if word else []
            word = ""
        else:
            word += sign
    return words


def yes(value: str) -> bool:
    return value.lower() in YES
