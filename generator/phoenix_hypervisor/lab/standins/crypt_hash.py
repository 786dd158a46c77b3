"""Hashes of passwords by the machine's own crypt(3), which Perl brings everywhere."""

import secrets
import string
import subprocess

SIGNS = string.ascii_letters + string.digits
CRYPT = "my $word = <STDIN>; chomp $word; my $salt = <STDIN>; chomp $salt; print crypt($word, $salt);"


def of(word: str, method: str) -> str:
    """Return the hash of a password with a new salt; the password goes by stdin."""
    return with_salt(word, method + "".join(secrets.choice(SIGNS) for _ in range(8)) + "$")


def with_salt(word: str, salt: str) -> str:
    done = subprocess.run(
        ["perl", "-e", CRYPT], input=f"{word}\n{salt}\n", capture_output=True, text=True, check=True
    )
    return done.stdout
