#!/bin/sh
# unix_user:admin. Makes the account, with a home.
set -eu

note=/var/lib/phoenix/made/unix_user/admin

# The note comes first: cut in between, it names an account that is not there, which harms nothing.
mkdir -p "$(dirname "$note")"
: >"$note"
useradd -m -G sudo -c Administrator -s /bin/bash admin </dev/null
