"""Who may do what: user.cfg, accounts, sshd's settings and hashes of passwords, as they are read."""

import datetime
import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phoenix_hypervisor.dialects import accounts, crypted, sshd, user_cfg
from phoenix_hypervisor.dialects.user_cfg import Access, Config, Token, User

RECORDED = """\
user:dev@nosuchrealm:1:0::::::
user:dev@pve:1:0:D:V:dev@example.com:dev user::
token:dev@pve!ci:0:1:ci token:
user:root@pam:1:0::::::
token:root@pam!oracle:0:0::

group:devs:dev@pve:developers:

pool:prod:production:100,101,999:local:

role:Ops:Datastore.Audit,VM.Audit,VM.Console,VM.PowerMgmt:

acl:0:/:@devs:PVEAuditor:
acl:1:/vms/100:dev@pve:Ops:
acl:1:/vms/100:dev@pve!ci:PVEVMUser:
"""
"""As Proxmox VE 8.4 has written it."""


def test_a_recorded_file_is_read():
    found = user_cfg.parse(RECORDED)
    assert found.users["dev@pve"] == User(True, 0, "D", "V", "dev@example.com", "dev user")
    assert found.tokens == {
        "dev@pve!ci": Token(0, True, "ci token"),
        "root@pam!oracle": Token(0, False, ""),
    }
    assert (found.groups, user_cfg.groups_of(found, "dev@pve")) == ({"devs": {"dev@pve"}}, {"devs"})
    assert found.roles == {"Ops": {"Datastore.Audit", "VM.Audit", "VM.Console", "VM.PowerMgmt"}}
    assert found.access == {
        Access("/", "@devs"): {"PVEAuditor": False},
        Access("/vms/100", "dev@pve"): {"Ops": True},
        Access("/vms/100", "dev@pve!ci"): {"PVEVMUser": True},
    }


@pytest.mark.parametrize("text", ["", "nonsense\n", "user\n", "user::1\n", "acl:1\n", "\0\n"])
def test_a_file_of_nothing_has_root_and_nobody_else(text):
    assert user_cfg.parse(text) == Config({"root@pam": User(True, 0, "", "", "", "")}, {}, {}, {}, {})


NAMES = st.from_regex(r"[a-z][a-z0-9]{0,5}", fullmatch=True)
USERS = NAMES.map(lambda name: f"{name}@pve")
FREE = st.text(st.characters(exclude_characters="%\n", exclude_categories=("Cs",)), max_size=20)


def encoded(text: str) -> str:
    """As PVE::Tools::encode_text writes it; a percent sign would stay one."""
    return "".join(
        chr(byte) if 0x20 <= byte <= 0x7E and byte != 0x3A else f"%{byte:02X}" for byte in text.encode()
    )


def written(config: Config) -> str:
    lines = []
    for name, user in config.users.items():
        texts = ":".join(map(encoded, user[2:]))
        lines.append(f"user:{name}:{int(user.enable)}:{user.expire}:{texts}::")
    for name, token in config.tokens.items():
        lines.append(f"token:{name}:{token.expire}:{int(token.privsep)}:{encoded(token.comment)}:")
    lines += [f"group:{name}:{','.join(members)}::" for name, members in config.groups.items()]
    lines += [f"role:{name}:{','.join(privileges)}:" for name, privileges in config.roles.items()]
    for access, roles in config.access.items():
        lines += [f"acl:{int(below)}:{access.path}:{access.who}:{role}:" for role, below in roles.items()]
    return "".join(f"{line}\n" for line in lines)


CONFIGS = st.builds(
    Config,
    st.dictionaries(
        USERS, st.builds(User, st.booleans(), st.integers(0, 2**31), FREE, FREE, FREE, FREE), max_size=3
    ).map(lambda users: {**users, "root@pam": User(True, 0, "", "", "", "")}),
    st.dictionaries(
        USERS.map(lambda user: f"{user}!ci"),
        st.builds(Token, st.integers(0, 2**31), st.booleans(), FREE),
        max_size=3,
    ),
    st.dictionaries(NAMES, st.frozensets(USERS, max_size=3), max_size=3),
    st.dictionaries(NAMES, st.frozensets(NAMES, max_size=3), max_size=3),
    st.dictionaries(
        st.builds(Access, st.sampled_from(["/", "/vms", "/vms/100"]), USERS | NAMES.map("@{}".format)),
        st.dictionaries(NAMES, st.booleans(), min_size=1, max_size=3),
        max_size=4,
    ),
)


@given(CONFIGS)
def test_what_proxmox_writes_is_read(config):
    assert user_cfg.parse(written(config)) == config


@given(st.text(st.characters(exclude_categories=("Cs",)), max_size=20))
def test_a_text_that_is_accepted_is_read_back(text):
    try:
        user_cfg.free_text(text)
    except ValueError:
        assert "%" in text or any(ord(sign) < 32 for sign in text)
        return
    found = user_cfg.parse(f"token:dev@pve!ci:0:1:{encoded(text)}:\n")
    assert found.tokens["dev@pve!ci"].comment == text


@pytest.mark.parametrize("text", ["50%41", "%c3%a4", "two\nlines", "a\0"])
def test_a_text_that_would_come_back_as_another_one_is_refused(text):
    with pytest.raises(ValueError, match="must"):
        user_cfg.free_text(text)


@given(CONFIGS, USERS)
def test_whoever_goes_makes_nobody_an_administrator(config, name):
    before = user_cfg.administrators(config)
    assert user_cfg.administrators(user_cfg.without_user(config, name)) == before - {name}
    for access in config.access:
        assert user_cfg.administrators(user_cfg.without_access(config, access)) <= before


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        ("", {"root@pam"}),
        ("user:root@pam:0:0::::::\n", set()),
        ("user:a@pve:1:0::::::\nacl:1:/:a@pve:Administrator:\n", {"root@pam", "a@pve"}),
        ("user:a@pve:0:0::::::\nacl:1:/:a@pve:Administrator:\n", {"root@pam"}),
        ("user:a@pve:1:0::::::\nacl:1:/vms:a@pve:Administrator:\n", {"root@pam"}),
        (
            "user:a@pve:1:0::::::\ngroup:g:a@pve::\nacl:1:/:@g:PVEAdmin,Administrator:\n",
            {"root@pam", "a@pve"},
        ),
    ],
)
def test_administrators_are_who_may_do_everything(lines, found):
    assert user_cfg.administrators(user_cfg.parse(lines)) == found


ANSWER = """\
root:x:0:0:root:/root:/bin/bash
heads:x:1000:1000:a, b:/home/heads:/bin/sh
--
root:x:0:
heads:x:1000:
sudo:x:27:heads,other
--
root:none:
heads:locked:21945
--
heads
10.0.0.2 50022 10.0.0.13 22
"""


def test_accounts_are_read_and_who_we_are():
    found = accounts.parse(ANSWER)
    heads = accounts.Account(
        1000, "heads", frozenset({"sudo"}), "a, b", "/home/heads", "/bin/sh", "locked", "2030-01-31"
    )
    assert found.found["heads"] == heads
    assert (found.found["root"].expires, found.me, found.address) == ("never", "heads", "10.0.0.2")


def test_who_came_another_way_than_by_ssh_is_nobody():
    assert accounts.parse(ANSWER.partition("10.0.0.2")[0] + "\n").me == ""


@given(st.dates(datetime.date(1970, 1, 1), datetime.date(2999, 12, 31)))
def test_shadow_s_days_are_dates(day):
    number = (day - datetime.date(1970, 1, 1)).days
    text = f"x:x:1:1::/:/bin/sh\n--\n--\nx:set:{number}\n--\nx\n\n"
    assert accounts.parse(text).found["x"].expires == day.isoformat()


def test_keys_are_lines_without_comments_each_once():
    assert accounts.keys("# one\nssh-ed25519  A x\n\nssh-ed25519 A x\n no-pty ssh-rsa B\n") == (
        "ssh-ed25519 A x",
        "no-pty ssh-rsa B",
    )


def test_what_sshd_says_is_read():
    found = sshd.effective("port 22\npermitrootlogin without-password\nallowusers a\nallowusers b\n")
    assert found == {
        "port": "22",
        "permitrootlogin": "prohibit-password",
        "allowusers": frozenset({"a", "b"}),
    }


@pytest.mark.parametrize(
    ("settings", "user", "keyword"),
    [
        ("", "root", None),
        ("permitrootlogin no", "root", "permitrootlogin"),
        ("permitrootlogin no", "heads", None),
        ("permitrootlogin forced-commands-only", "root", "permitrootlogin"),
        ("permitrootlogin prohibit-password", "root", None),
        ("pubkeyauthentication no", "heads", "pubkeyauthentication"),
        ("passwordauthentication no", "heads", None),
        ("allowusers other", "heads", "allowusers"),
        ("allowusers he?ds@10.0.0.0/8", "heads", None),
        ("denyusers h*", "heads", "denyusers"),
        ("allowgroups wheel", "heads", "allowgroups"),
        ("allowgroups su*", "heads", None),
        ("denygroups sudo", "heads", "denygroups"),
    ],
)
def test_who_would_be_shut_out(settings, user, keyword):
    found = sshd.lockout(sshd.effective(settings), user, {"users", "sudo"})
    assert (found.keyword if found else None) == keyword


@pytest.mark.skipif(not shutil.which("perl"), reason="there is no perl here")
@pytest.mark.parametrize("salt", ["$5$saltsalt$", "$6$saltsalt$", "$1$saltsalt$"])
@pytest.mark.parametrize("lock", ["", "!", "!!"])
def test_a_hash_is_proved_where_it_is(tmp_path, salt, lock):
    word = "p: ä'\"$x"
    made = subprocess.run(
        ["perl", "-e", "chomp(my $w = <STDIN>); print crypt($w, $ARGV[0]);", salt],
        input=word.encode() + b"\n",
        capture_output=True,
        check=True,
    ).stdout.decode()
    file = tmp_path / "a shadow"
    file.write_text(f"other:{made}:\nheads:{lock}{made}:\nnone:!:\nempty::\n")

    def said(name: str, candidate: str) -> str:
        ended = subprocess.run(
            ["sh", "-c", crypted.proof(str(file), name)],
            input=f"{candidate}\n".encode(),
            capture_output=True,
            check=True,
        )
        assert ended.stderr == b""
        return ended.stdout.decode()

    assert [said("heads", word), said("heads", f"{word}x"), said("none", ""), said("empty", "")] == [
        "same\n",
        "another\n",
        "another\n",
        "another\n",
    ]
    assert said("nobody", word) == "another\n"


def test_a_file_that_cannot_be_read_is_no_answer(tmp_path):
    ended = subprocess.run(
        ["sh", "-c", crypted.proof(str(tmp_path / "none"), "x")],
        input=b"x\n",
        capture_output=True,
        check=False,
    )
    assert (ended.returncode != 0, ended.stdout) == (True, b"")
