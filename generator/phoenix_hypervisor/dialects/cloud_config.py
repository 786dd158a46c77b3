"""Top-level keys of a cloud-config, and what each of them takes.

Facts of cloud-init's own schema (schema-cloud-config-v1.json in its package): of 22.4, which Debian 12 has,
and of later versions. What is deeper in a key is for cloud-init itself to judge.
"""

from collections.abc import Iterator, Mapping

FIRST_LINE = "#cloud-config"
UNKNOWN = "is no key of a cloud-config"
_TABLE = """
boolean: allow_public_ssh_keys apt_reboot_if_required apt_update apt_upgrade create_hostname_file \
disable_ec2_metadata disable_piwiz disable_root enable_rpi_connect manage_resolv_conf migrate \
no_ssh_fingerprints package_reboot_if_required package_update package_upgrade prefer_fqdn_over_hostname \
preserve_hostname ssh_deletekeys ssh_quiet_keygen
object: ansible apk_repos apt autoinstall ca-certs ca_certs chef chpasswd device_aliases disk_setup drivers \
fan growpart grub-dpkg grub_dpkg keyboard landscape lxd mcollective output phone_home power_state puppet \
random_seed reporting resolv_conf rh_subscription rpi_interfaces rpi_userconf rsyslog salt_minion snap \
spacewalk ssh ssh_keys ssh_publish_hostkeys swap system_info ubuntu_advantage ubuntu_pro updates \
vendor_data yum_repos zypper
string: authkey_hash byobu_by_default disable_root_opts final_message fqdn hostname locale_configfile \
password timezone yum_repo_dir
array: bootcmd cloud_config_modules cloud_final_modules cloud_init_modules fs_setup mount_default_fields \
mounts packages runcmd ssh_authorized_keys ssh_fp_console_blacklist ssh_genkeytypes ssh_import_id \
ssh_key_console_blacklist write_files
integer: launch-index
boolean integer string: apt_pipelining
boolean string: locale manage_etc_hosts resize_rootfs ssh_pwauth
array object string: groups users
array string: merge_how merge_type
object string: user
null object: ntp wireguard
array boolean integer null object string: version
"""
TYPES = {
    key: frozenset(types.split())
    for types, _, keys in (line.partition(": ") for line in _TABLE.strip().splitlines())
    for key in keys.split()
}
"""Key → what it may hold, in JSON Schema's words."""
_SAID = {
    "array": "a list", "boolean": "true or false", "integer": "a whole number", "null": "nothing",
    "number": "a number", "object": "settings", "string": "text",
}  # fmt: skip


def faults(document: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Yield key → what is wrong with it or what it holds, in words that follow the key."""
    for key, value in document.items():
        types = TYPES.get(key)
        if types is None:
            yield key, UNKNOWN
        elif _type(value) not in types:
            yield (
                key,
                f"must be {' or '.join(_SAID[one] for one in sorted(types))}, and is {_SAID[_type(value)]}",
            )


def _type(value: object) -> str:
    if value is None or isinstance(value, bool):
        return "null" if value is None else "boolean"
    known = {str: "string", int: "integer", list: "array", tuple: "array", dict: "object"}
    return next((name for sort, name in known.items() if isinstance(value, sort)), "number")
