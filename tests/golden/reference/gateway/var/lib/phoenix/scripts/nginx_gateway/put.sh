#!/bin/sh
# nginx_gateway. The gateway's files. Called with a verb, by hand as well:
#   put keep    reads the set of files on stdin; it takes its place once nginx takes it with all other files
#   put renew   the same, with a new certificate of our own
#   reload      tells nginx
set -eu

link=/etc/nginx/conf.d/phoenix-gateway.conf
folder=/etc/nginx/phoenix-gateway
sets=/etc/nginx/phoenix-gateway.sets
own=/etc/nginx/phoenix-gateway.tls/self-signed.pem
days=365
subject=DNS:gateway.home.arpa,DNS:gateway,IP:10.0.0.153
replace=1
log=/var/log/nginx/phoenix-gateway.log
default=/etc/nginx/sites-enabled/default
shipped=/etc/nginx/sites-available/default
taken=/var/lib/phoenix/made/nginx_gateway/default-site
waiting=/var/lib/phoenix/pending/nginx
url=http://127.0.0.1:80/healthz
called=gateway.home.arpa
mark=bbd48be214b3
main=/etc/nginx/nginx.conf
end='-- the set ends here --'

say() { printf '%s\n' "$*"; }

refuse() {
    say "the gateway is as it was: $1" >&2
    exit 1
}

empty() { # a folder of ours, in which there are only files, goes
    rm -f "$1"/* "$1"/.[a-z]*
    rmdir "$1"
}

clean_up() {
    if [ -n "${try:-}" ]; then
        empty "$try/conf.d"
        empty "$try/sites-enabled"
        rmdir "$try"
    fi
    [ -z "${new:-}" ] || [ "$(readlink "$folder" || :)" = "$new" ] || empty "$new"
}

unpack() { # the set on stdin, into $new: each file as lines of base64 behind its name
    name='' whole=
    while IFS= read -r line; do
        case $line in
        "file "*) name=${line#file } ;;
        "$end") whole=1 ;;
        *) [ -z "$name" ] || printf '%s\n' "$line" >>"$new/.$name" ;;
        esac
    done
    [ -n "$whole" ] || refuse "its files came only in part"
    for packed in "$new"/.[a-z]*; do
        name=${packed##*/}
        base64 -d "$packed" >"$new/${name#.}"
        rm "$packed"
    done
    [ -f "$new/gateway.conf" ] || refuse "its files came only in part"
    [ ! -f "$new/tokens.map" ] || ! LC_ALL=C grep -Evq \
        '^#|^"~\^\(\?i:Bearer\) \+\\Q[A-Za-z0-9._~+/=-]{16,512}\\E\$" [a-z0-9-]+;$' "$new/tokens.map" ||
        refuse "a token must be 16 to 512 letters, digits or signs among ._~+/=- (phoenix secrets rotate)"
}

make_certificate() { # of our own, where there is none or another is wanted
    [ "$days" -gt 0 ] || return 0
    [ "$1" = renew ] || [ ! -s "$own" ] || return 0
    command -v openssl >/dev/null || refuse "there is no openssl here to make a certificate with"
    mkdir -p "$(dirname "$own")"
    chmod 700 "$(dirname "$own")"
    made=$(mktemp "$own.XXXXXX")
    printf '%s\n' '[req]' 'prompt = no' 'distinguished_name = who' 'x509_extensions = what' \
        '[who]' 'CN = phoenix gateway' \
        '[what]' "subjectAltName = $subject" 'basicConstraints = critical, CA:FALSE' \
        'keyUsage = critical, digitalSignature' 'extendedKeyUsage = serverAuth' \
        'subjectKeyIdentifier = hash' >"$made.cnf"
    said=$(openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -sha256 -days "$days" \
        -config "$made.cnf" -keyout "$made.key" -out "$made" 2>&1) || {
        rm -f "$made" "$made.key" "$made.cnf"
        refuse "openssl makes no certificate: $said"
    }
    cat "$made.key" >>"$made"
    rm "$made.key" "$made.cnf"
    sync "$made"
    mv -f "$made" "$own"
    say "made a certificate for $subject, for $days days"
}

try_it() { # nginx reads all its files, with the new ones in the place of ours, beside what is there
    try=$(mktemp -d /etc/nginx/phoenix-try.XXXXXX)
    mkdir "$try/conf.d" "$try/sites-enabled"
    for part in conf.d sites-enabled; do
        for file in "/etc/nginx/$part"/*; do
            [ -e "$file" ] || [ -h "$file" ] || continue
            [ "$file" != "$link" ] || continue
            [ "$file" != "$default" ] || [ "$replace" = 0 ] || [ "$(readlink "$file")" != "$shipped" ] || continue
            ln -s "$file" "$try/$part/"
        done
    done
    sed "s#$folder/#$new/#g" "$new/gateway.conf" >"$try/conf.d/phoenix-gateway.conf"
    # Beside the real one: names of files in it are relative to its folder.
    sed -E "s#^([[:space:]]*include[[:space:]]+)(/etc/nginx/)?(conf\.d|sites-enabled)/#\1$try/\3/#" \
        "$main" >"$try.conf"
    if ! grep -qF "$try/conf.d/" "$try.conf"; then
        rm "$try.conf"
        refuse "$main does not include /etc/nginx/conf.d/*.conf"
    fi
    if ! said=$(nginx -t -q -c "$try.conf" 2>&1); then
        rm "$try.conf"
        refuse "nginx does not take it: $(say "$said" | sed "s#$try\.conf#$main#g; s#$try/##g; s#$new/#$folder/#g")"
    fi
    rm "$try.conf"
}

point() { # $1 becomes what the link $2 leads to, at once
    ln -sfn "$1" "$2.new"
    mv -fT "$2.new" "$2"
}

switch_default_site() {
    if [ "$replace" = 1 ] && [ -h "$default" ] && [ "$(readlink "$default")" = "$shipped" ]; then
        mkdir -p "$(dirname "$taken")"
        : >"$taken"
        rm "$default"
        say "switched off $default"
    fi
}

give_default_site_back() {
    [ "$replace" = 0 ] && [ -e "$taken" ] || return 0
    [ -e "$default" ] || [ -h "$default" ] || [ ! -e "$shipped" ] || ln -s "$shipped" "$default"
    rm "$taken"
    say "switched on $default"
}

tell() {
    systemctl -q enable nginx && systemctl reload-or-restart nginx
}

works() { # nginx says that it was told at once, and finds out later that a port is somebody else's
    command -v curl >/dev/null || return 0
    tries=50
    while ! curl -sk -m 2 --noproxy '*' -H "Host: $called" -o /dev/null -D - "$url" | grep -qF "$mark"; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || return 1
        sleep 0.1
    done
}

put() {
    if ! command -v nginx >/dev/null || [ ! -e "$main" ]; then
        refuse "there is no nginx here: declare its apt_package"
    fi
    umask 077
    mkdir -p "$sets"
    new=$(mktemp -d "$sets/XXXXXX")
    trap clean_up EXIT
    unpack
    make_certificate "$1"
    (umask 022 && mkdir -p "$(dirname "$log")")
    try_it
    (umask 022 && mkdir -p "$(dirname "$waiting")" && : >"$waiting")
    old=$(readlink "$folder" || :)
    sync "$new"/*
    switch_default_site
    point "$new" "$folder"
    [ "$(readlink "$link" || :)" = "$folder/gateway.conf" ] || point "$folder/gateway.conf" "$link"
    give_default_site_back
    if ! tell || ! works; then
        tail -n 5 /var/log/nginx/error.log >&2 || journalctl -u nginx -n 8 --no-pager -o cat >&2 || :
        if [ -n "$old" ] && [ -d "$old" ]; then
            point "$old" "$folder"
            tell || :
            refuse "nginx does not work with it, and has the files before it again"
        fi
        exit 1
    fi
    rm -f "$waiting"
    for one in "$sets"/*; do
        [ "$one" = "$new" ] || empty "$one"
    done
    say "wrote $link"
}

case $1 in
put) put "$2" ;;
reload) tell && rm -f "$waiting" ;;
*) exit 2 ;;
esac
