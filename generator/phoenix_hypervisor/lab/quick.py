"""What some stand-ins say at once, in shell: starting Python takes ten times as long."""

WARM = """\
if [ -p /dev/.phoenix-lab-warm ] && [ -z "${PHOENIX_LAB_READY-}" ]; then
    lab_said=
    exec 6>&1 7<&0 9<<. 8>/proc/self/fd/9
.
    [ ! -p /proc/self/fd/8 ] || ! echo "$$ TOOL" >/dev/.phoenix-lab-warm || read -r lab_said <&9
    case $lab_said in [0-9]*) exit "$lab_said" ;; esac
    exec 6>&- 7<&- 8>&- 9<&-
fi
"""
"""Shell that lets a process with Python in it do the work of TOOL, where there is one (standins/warm.py).

It reads an exit status from a pipe; a document here is one, in the shells that Debian has as `sh`.
"""
MODEL = "/var/lib/phoenix-lab/model.json"
QUICK = {
    "uname": (
        'case "$*" in -n|-s|-m) exec /usr/bin/uname "$@";; esac\n'
        f"""[ "$*" = -r ] && said=$(grep -so '"kernel": "[^"]*"' {MODEL}) && case $said in\n"""
        """*'\n'*) ;;\n'"kernel": "'?*) said=${said#*: \\"}; echo "${said%\\"}"; exit;;\nesac\n"""
    ),
    # of a model without a word of them there is nothing to tell
    "pdbedit": f"""[ "$*" = '-L -w' ] && ! grep -qsF '"samba_users"' {MODEL} && exit\n""",
    "locale": (
        f"""[ "$*" = -a ] && ! grep -qsF '"locales"' {MODEL} && printf 'C\\nC.utf8\\nPOSIX\\n' && exit\n"""
    ),
    "zfs": (
        'case "$# $*" in "6 get -Hpo "*" -t filesystem "*|"8 get -Hpo "*" -t filesystem "*)\n'
        f"""    grep -qsF '"pools"' {MODEL} || exit 0;;\nesac\n"""
    ),
    "nginx": '[ -x /usr/sbin/nginx ] || exec /usr/local/sbin/lab-program nginx "$@"\n',
    "xrdp": '[ ! -e /etc/xrdp/xrdp.ini ] || exec /usr/local/sbin/lab-program xrdp "$@"\n',
    **{
        name: f'[ ! -e /etc/default/{name} ] || exec /usr/local/sbin/lab-program {name} "$@"\n'
        for name in ("prometheus", "prometheus-node-exporter", "prometheus-nginx-exporter")
    },
    "python3": 'case "$*" in *libcuda.so*) ;; *) exec /usr/bin/python3 "$@";; esac\n',
    "sha256sum": (  # what has no stamp (standins/stamps.py), or comes on stdin
        'case "${1--}" in -*) exec /usr/bin/sha256sum "$@";; esac\n'
        'grep -qsaF -- phoenix-lab-stand-in: "$@" || exec /usr/bin/sha256sum "$@"\n'
    ),
}
"""Shell before a stand-in, for what the machine's own tool answers as well and is asked often."""
