#!/bin/sh
# bootstrap.sh PACKAGES TARGET FINISH MIRROR SECURITY ARGUMENT…: makes a Debian of PACKAGES, and lets the script
# FINISH (its text, not its name: another user of a namespace may not see our folders) work on it.
set -eu
packages=$1 target=$2 finish=$3 mirror=$4 security=$5
shift 5
suite=bookworm
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
# packages that are installed start nothing
# shellcheck disable=SC2016
exec mmdebstrap --quiet --variant=apt --include="$packages" \
    --aptopt='APT::Install-Recommends "false"' --aptopt='Acquire::Retries "3"' \
    --dpkgopt=force-unsafe-io --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/info/*' \
    --essential-hook='printf "#!/bin/sh\nexit 101\n" >"$1/usr/sbin/policy-rc.d"; chmod 755 "$1/usr/sbin/policy-rc.d"' \
    --customize-hook="$finish" "$@" "$suite" "$target" \
    "deb $mirror $suite main contrib" "deb $mirror $suite-updates main contrib" \
    "deb $security $suite-security main contrib" "deb $mirror $suite-backports main contrib"
