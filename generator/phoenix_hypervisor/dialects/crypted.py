"""Hashes of passwords in files like /etc/shadow: proved on the host itself, which says only yes or no.

The candidate comes on stdin and is hashed with the salt that stands there, by the crypt(3) of the host, so
every method it knows is understood. Perl is on every Debian (perl-base is essential).
"""

import shlex

_PROOF = (
    "my ($file, $name) = @ARGV;"
    'open(my $rows, "<", $file) or die "$file: $!\\n";'
    "my ($hash) = map { (split /:/, $_, -1)[1] } grep { (split /:/, $_, -1)[0] eq $name } <$rows>;"
    '$hash //= ""; chomp $hash; $hash =~ s/^!+//;'
    'my $word = <STDIN> // ""; chomp $word;'
    'my $made = length($hash) > 2 ? crypt($word, $hash) // "" : "";'
    'print $made ne "" && $made eq $hash ? "same\\n" : "another\\n";'
)


def proof(file: str, name: str) -> str:
    """Return the command that reads a password's line on stdin, and prints `same` or `another`.

    It is compared with the hash of that name in the file, also one that a `!` before it has locked.
    """
    return f"perl -e {shlex.quote(_PROOF)} {shlex.quote(file)} {shlex.quote(name)}"
