"""The host's own spellings: what is written reads back, and what means the same compares the same."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.lab import transcripts

from phoenix_hypervisor.dialects import disks, exports, modprobe, sizes, storage_cfg, zfs

recorded = pytest.mark.skipif(not transcripts.available(), reason="no recorded transcripts here")


def said(topic: str, number: int) -> str:
    """What a real tool printed."""
    return next(entry.stdout for entry in transcripts.load(topic) if entry.n == number)


# --- sizes ------------------------------------------------------------------------------------------------

SIZES = {
    "0": 0, "512": 512, "512B": 512, "1K": 1024, "1k": 1024, "1KB": 1024, "1KiB": 1024, "16K": 16384, "1M": 1048576,  # noqa: E501
    "1.5G": 1610612736, "1.4T": 1539316278886, "800 G": 858993459200, " 1M ": 1048576, "0.5M": 524288, "1P": 1 << 50,  # noqa: E501
    "2E": 2 << 60, "1.0000000000000000001E": 1 << 60,
}  # fmt: skip


@pytest.mark.parametrize("text", SIZES)
def test_a_size_is_read_as_zfs_reads_it(text: str) -> None:
    assert sizes.parse(text) == SIZES[text]


@pytest.mark.parametrize(
    "wrong", ["", " ", "G", "-1", "1,5G", "1e3", "1.G", ".5G", "1GG", "0x10", "٣", True, -1, None, 1.0, []]
)
def test_what_is_no_size_is_refused(wrong: object) -> None:
    with pytest.raises(ValueError, match="must be a size like `800G`"):
        sizes.parse(wrong)


@given(st.integers(0, 1 << 70))
def test_the_shortest_spelling_of_a_size_reads_back(size: int) -> None:
    assert sizes.parse(sizes.show(size)) == size
    assert sizes.parse(size) == size


@given(st.integers(0, 10**6), st.text("0123456789", min_size=1, max_size=12), st.sampled_from("KMGTPE"))
def test_a_fraction_of_a_byte_is_cut_off(whole: int, fraction: str, unit: str) -> None:
    factor = 1024 ** (" KMGTPE".index(unit))
    exact = (int(whole) * 10 ** len(fraction) + int(fraction)) * factor
    assert sizes.parse(f"{whole}.{fraction}{unit}") == exact // 10 ** len(fraction)


@pytest.mark.parametrize(
    ("size", "shown", "about"),
    [
        (0, "0", "0 B"),
        (1023, "1023", "1.02e+03 B"),
        (1048576, "1M", "1 MiB"),
        (1539316278886, "1539316278886", "1.4 TiB"),
        (2000398934016, "1953514584K", "1.82 TiB"),
    ],
)
def test_sizes_are_shown_exactly_and_about(size: int, shown: str, about: str) -> None:
    assert (sizes.show(size), sizes.about(size)) == (shown, about)


# --- zfs --------------------------------------------------------------------------------------------------

MEANS = [
    ("quota", "none", "0"), ("quota", "1.4T", "1539316278886"), ("quota", 1024, "1024"), ("recordsize", "1M", "1048576"),  # noqa: E501
    ("special_small_blocks", "0", "0"), ("xattr", "sa", "on"), ("xattr", "dir", "dir"), ("acltype", "posixacl", "posix"),  # noqa: E501
    ("acltype", "noacl", "off"), ("compression", "lz4", "lz4"), ("mountpoint", "/a b", "/a b"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "written", "canonical"), MEANS)
def test_a_property_has_the_spelling_that_zfs_get_prints(name: str, written: object, canonical: str) -> None:
    assert zfs.canonical(name, written) == canonical
    assert zfs.canonical(name, canonical) == canonical


@given(st.sampled_from(sorted(zfs.SIZES)), st.integers(0, 1 << 60))
def test_a_property_written_for_people_means_the_same(name: str, size: int) -> None:
    canonical = zfs.canonical(name, size)
    assert zfs.canonical(name, zfs.spelled(name, canonical)) == canonical


def test_no_limit_is_spelled_none_and_no_size_is_0() -> None:
    assert (zfs.spelled("quota", "0"), zfs.spelled("special_small_blocks", "0")) == ("none", "0")
    assert (zfs.spelled("quota", "1048576"), zfs.spelled("sync", "always")) == ("1M", "always")


cells = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")), min_size=1, max_size=8)


@given(st.lists(st.tuples(cells, st.just("comment"), cells, cells), max_size=5))
def test_a_table_of_properties_reads_back(rows: list[tuple[str, str, str, str]]) -> None:
    text = "\n".join("\t".join(row) for row in rows)
    expected = {name: {prop: zfs.Setting(value, source)} for name, prop, value, source in rows}
    assert zfs.properties(text) == expected


def test_properties_in_canonical_spelling_and_dashes_as_they_are() -> None:
    text = "tank\tquota\t0\tdefault\ntank\txattr\tsa\tlocal\ntank\tmounted\t-\t-\ntank\tquota2\tnone\tlocal\n"
    assert zfs.properties(text)["tank"] == {
        "quota": ("0", "default"),
        "xattr": ("on", "local"),
        "mounted": ("-", "-"),
        "quota2": ("none", "local"),
    }
    assert zfs.properties("") == {}


@recorded
def test_recorded_properties() -> None:
    found = zfs.properties(said("21-zfs", 33))
    assert found["fastData/shared-backups"]["recordsize"] == ("1048576", "local")
    assert found["quickOS"]["acltype"] == ("posix", "local")
    assert zfs.properties(said("21-zfs", 34))["fastData/shared-bulk-data"]["quota"] == (
        zfs.canonical("quota", "1.4T"),
        "local",
    )


@recorded
def test_recorded_pools() -> None:
    assert zfs.health(said("20-zpool", 78)) == {
        "fastData": "ONLINE",
        "quickOS": "DEGRADED",
        "raidy": "ONLINE",
    }
    assert zfs.layouts(said("20-zpool", 47)) == {
        "fastData": (("stripe", ("nvme-LAB_SSD_3",)),),
        "quickOS": (("mirror", ("nvme-LAB_SSD_1", "nvme-LAB_SSD_2")),),
        "raidy": (("raidz1", ("nvme-LAB_SSD_4", "nvme-LAB_SSD_5", "nvme-LAB_SSD_6")),),
    }
    assert zfs.properties(said("20-zpool", 50))["quickOS"]["comment"] == ("-", "default")


def row(name: str, alloc: str = "1K") -> str:
    return f"\t{name}\t1G\t{alloc}\t1G\t-\t-\t0%\t0%\t-\tONLINE"


BY_ID = "/dev/disk/by-id/"


def test_layouts_of_every_sort() -> None:
    lines = [
        "tank\t3G\t1K\t3G\t-\t-\t0%\t0%\t1.00x\tONLINE\t-",
        row("mirror-0"),
        row(f"{BY_ID}a-part1", "-"),
        row(f"{BY_ID}b-part1", "-"),
        row(f"{BY_ID}c"),
        row(f"{BY_ID}d"),
        row("raidz2-3"),
        *(row(f"{BY_ID}r{n}-part1", "-") for n in range(4)),
        "special\t-\t-\t-\t-\t-\t-\t-\t-\t-",
        row("mirror-4"),
        *(row(f"{BY_ID}s{n}", "-") for n in range(2)),
        "logs\t-\t-\t-\t-\t-\t-\t-\t-\t-",
        row("mirror-5"),
        *(row(f"{BY_ID}l{n}", "-") for n in range(2)),
        row(f"{BY_ID}l2"),
        "cache\t-\t-\t-\t-\t-\t-\t-\t-\t-",
        row(f"{BY_ID}c0"),
        "spare\t-\t-\t-\t-\t-\t-\t-\t-\t-",
        row(f"{BY_ID}sp0", "-"),
        row(f"{BY_ID}sp1", "-"),
        "tank2\t3G\t1K\t3G\t-\t-\t0%\t0%\t1.00x\tONLINE\t-",
        row("/dev/loop1"),
    ]
    assert zfs.layouts("\n".join(lines)) == {
        "tank": (
            ("mirror", ("a", "b")),
            ("stripe", ("c",)),
            ("stripe", ("d",)),
            ("raidz2", ("r0", "r1", "r2", "r3")),
            ("special mirror", ("s0", "s1")),
            ("logs mirror", ("l0", "l1")),
            ("logs stripe", ("l2",)),
            ("cache stripe", ("c0",)),
            ("spare stripe", ("sp0",)),
            ("spare stripe", ("sp1",)),
        ),
        "tank2": (("stripe", ("/dev/loop1",)),),
    }


def test_a_spare_behind_a_mirror_is_not_a_part_of_it() -> None:
    lines = ["tank\t3G\t1K", row("mirror-0"), row(f"{BY_ID}a", "-"), "spare\t-\t-\t-", row(f"{BY_ID}b", "-")]
    assert zfs.layouts("\n".join(lines))["tank"] == (("mirror", ("a",)), ("spare stripe", ("b",)))


def test_no_pools_is_no_layouts() -> None:
    assert (zfs.layouts(""), zfs.health("")) == ({}, {})


@pytest.mark.parametrize(
    ("kind", "members", "size"),
    [
        ("stripe", [10, 20], 30),
        ("mirror", [10, 20], 10),
        ("raidz1", [10, 20, 30], 20),
        ("raidz3", [10] * 5, 20),
        ("raidz2", [10], 0),
        ("mirror", [], 0),
    ],
)
def test_what_a_vdev_holds(kind: str, members: list[int], size: int) -> None:
    assert zfs.usable(kind, members) == size


# --- storage.cfg ------------------------------------------------------------------------------------------


@recorded
def test_recorded_storages_whose_sets_come_in_any_order() -> None:
    many = [storage_cfg.parse(said("01-storage", number)) for number in (29, 36)]
    assert many[0]["tank"] == many[1]["tank"]
    assert many[0]["local"] == many[1]["local"]
    assert many[1]["data"] == storage_cfg.Storage(
        "dir",
        {
            "path": "/srv/data",
            "content": "images,rootdir,snippets",
            "nodes": "pve",
            "prune-backups": "keep-last=3,keep-daily=7",
        },
    )
    disabled = storage_cfg.parse(said("01-storage", 48))["data"].options
    assert disabled["disable"] == storage_cfg.canonical("disable", "1")
    assert storage_cfg.parse(said("01-storage", 54))["data"].options["shared"] == "0"


@given(
    st.permutations(["images", "iso", "rootdir", "backup"]),
    st.sampled_from([",", " ", ", ", ",,"]),
    st.integers(0, 4),
)
def test_sets_have_no_order(content: list[str], between: str, count: int) -> None:
    written = storage_cfg.canonical("content", between.join(content[:count]))
    assert written == ",".join(sorted(content[:count]))
    assert storage_cfg.canonical("content", written) == written


@pytest.mark.parametrize(
    ("key", "written", "value"),
    [
        ("shared", "yes", "1"), ("shared", "0", "0"), ("shared", "off", "0"), ("sparse", "", "1"), ("disable", "True", "1"),  # noqa: E501
        ("is_mountpoint", "/mnt/x", "/mnt/x"), ("is_mountpoint", "no", "0"), ("path", "/a b", "/a b"), ("content", "none", "none"),  # noqa: E501
    ],
)  # fmt: skip
def test_switches_are_0_or_1(key: str, written: str, value: str) -> None:
    assert storage_cfg.canonical(key, written) == value


def test_comments_blank_lines_and_foreign_keys_do_no_harm() -> None:
    text = "# mine\n\ndir: local\n    path /var/lib/vz\n\t# not a key\n\tcontent iso\n\n\nnfs:x\n\tserver a b\n\tsparse\n"  # noqa: E501
    assert storage_cfg.parse(text) == {
        "local": ("dir", {"path": "/var/lib/vz", "content": "iso"}),
        "x": ("nfs", {"server": "a b", "sparse": "1"}),
    }
    assert storage_cfg.parse("") == {}


@pytest.mark.parametrize(
    ("lines", "folder"),
    [
        ("dir: s\n\tpath /tank/iso\n", "/tank/iso/template/cache"),
        ("dir: s\n\tpath /tank/iso\n\tcontent-dirs iso=i,vztmpl=archives/lxc\n", "/tank/iso/archives/lxc"),
        ("nfs: s\n\tserver x\n", "/mnt/pve/s/template/cache"),
        ("dir: t\n\tpath /tank/iso\n", ""),
    ],
)
def test_archives_lie_where_the_storage_keeps_them(lines: str, folder: str) -> None:
    assert storage_cfg.template_folder(storage_cfg.parse(lines), "s") == folder


def test_the_storage_that_needs_no_entry_keeps_archives_too() -> None:
    # pvesm path local:vztmpl/… on a node without storage.cfg (transcript 01-storage-064)
    assert storage_cfg.template_folder({}, "local") == "/var/lib/vz/template/cache"


# --- exports ----------------------------------------------------------------------------------------------

DEFAULT = "hide,no_all_squash,no_subtree_check,ro,root_squash,sec=sys,secure,sync,wdelay"
SAME = [
    [
        [],
        ["ro"],
        ["sync", "secure"],
        ["anonuid=65534"],
        ["acl", "nocrossmnt"],
        ["sec=sys"],
        ["auth_nlm"],
        ["rw", "ro"],
    ],
    [["rw"], ["no_subtree_check", "rw", "sync"], ["rw", "rw"], ["ro", "rw"]],
    [["insecure_locks"], ["no_auth_nlm"]],
    [["fsid=0", "crossmnt"], ["crossmnt", "fsid=0"], ["fsid=1", "crossmnt", "fsid=0"]],
    [["sec=krb5:krb5p"], ["sec=sys", "sec=krb5:krb5p"]],
]


@pytest.mark.parametrize("same", SAME)
def test_options_that_mean_the_same_are_the_same(same: list[list[str]]) -> None:
    assert len({exports.options(words) for words in same}) == 1


def test_options_that_differ_differ() -> None:
    assert len({exports.options(same[0]) for same in SAME}) == len(SAME)
    assert exports.options([]) == DEFAULT


@pytest.mark.parametrize(
    "word",
    ["", "rww", "fsid=", "fsid=0\n", "fsid=0 ", "fsid=0)x(rw", "sec=", "sec=sys,rw", "anonuid=#1", "=", "RW"],
)
def test_words_exports_5_does_not_know_are_refused(word: str) -> None:
    with pytest.raises(ValueError, match=r"is not an option of exports\(5\)"):
        exports.options([word])


names = st.text(st.characters(exclude_characters="/\0", exclude_categories=("Cs",)), min_size=1, max_size=8)
paths = st.lists(names, min_size=1, max_size=4).map(lambda parts: "/" + "/".join(parts))
clients = st.sampled_from(["*", "10.0.0.0/24", "fe80::/10", "a.example.com", "@group"])
option_lists = st.lists(st.sampled_from(["rw", "async", "insecure", "fsid=0", "no_root_squash", "crossmnt"]))
tables = st.dictionaries(paths, st.dictionaries(clients, option_lists, min_size=1, max_size=3), max_size=3)


@given(tables)
def test_what_we_write_reads_back(table: dict[str, dict[str, list[str]]]) -> None:
    canonical = {
        path: {client: exports.options(words) for client, words in found.items()}
        for path, found in table.items()
    }
    text = "".join(
        exports.quoted(path) + "".join(f" {client}({words})" for client, words in found.items()) + "\n"
        for path, found in canonical.items()
    )
    assert exports.parse(text) == canonical
    assert exports.files("".join(f"/etc/exports:{line}\n" for line in text.splitlines())) == (
        {"/etc/exports": canonical} if text else {}
    )


@given(paths, paths)
def test_different_paths_have_different_file_names(one: str, other: str) -> None:
    assert (exports.slug(one) == exports.slug(other)) == (one == other)
    assert "/" not in exports.slug(one)


@given(paths)
def test_a_path_is_written_as_one_word(path: str) -> None:
    written = exports.quoted(path)
    assert written.split() == [written]
    assert not set(written) & set('"#')


READ = {
    "a client without options": ("/a b", {"/a": {"b": DEFAULT}}),
    "options without a client": ("/a (rw)", {"/a": {"*": exports.options(["rw"])}}),
    "a client and, by mistake, everybody": ("/a b (rw)", {"/a": {"b": DEFAULT, "*": exports.options(["rw"])}}),  # noqa: E501
    "an empty list": ("/a b()", {"/a": {"b": DEFAULT}}),
    "no client": ("/a", {"/a": {}}),
    "default options": ("/a -rw,async b c(sync)", {
        "/a": {"b": exports.options(["rw", "async"]), "c": exports.options(["rw"])}}),
    "a comment": ("# x\n/a b # c(rw)\n\n", {"/a": {"b": DEFAULT}}),
    "a continuation": ("/a \\\n  b(rw) \\\n  c\n", {"/a": {"b": exports.options(["rw"]), "c": DEFAULT}}),
    "quotes": ('"/a b" c', {"/a b": {"c": DEFAULT}}),
    "octal": ("/a\\040b\\303\\274 c", {"/a bü": {"c": DEFAULT}}),
    "letters as they are": ("/ü c", {"/ü": {"c": DEFAULT}}),
    "one path on two lines": ("/a b\n/a c(rw)", {"/a": {"b": DEFAULT, "c": exports.options(["rw"])}}),
}  # fmt: skip


@pytest.mark.parametrize("what", READ)
def test_exports_are_read_as_exportfs_reads_them(what: str) -> None:
    text, table = READ[what]
    assert exports.parse(text) == table


def test_a_file_of_others_that_is_not_utf_8_does_no_harm() -> None:
    text = b"/caf\xe9 b\n/a\\351 b\n".decode(errors="surrogateescape")
    assert list(exports.parse(text)) == ["/caf\udce9", "/a\udce9"]


def test_an_option_of_others_that_we_do_not_know_is_kept_and_not_our_trouble() -> None:
    assert exports.parse("/a b(rw,frobnicate=2)\n/c d\n") == {
        "/a": {"b": ",".join(sorted([*exports.options(["rw"]).split(","), "frobnicate=2"]))},
        "/c": {"d": DEFAULT},
    }


@recorded
def test_recorded_tables_mean_what_the_files_said() -> None:
    for number, text in {
        5: "/srv/a 10.0.0.0/24(rw,sync,no_subtree_check)\n/srv/b *(ro)\n",
        8: "/srv/a 10.0.0.0/24(rw,sync,no_subtree_check) 10.1.0.5(ro,async)\n",
        16: "",
    }.items():
        assert exports.parse(said("22-shares", number)) == exports.parse(text)
    for number, text in {11: "/srv/a 10.0.0.0/24 (rw)\n", 12: '"/srv/with space" 10.0.0.0/24(rw)\n'}.items():
        assert exports.parse(said("22-shares", number).removeprefix("rc=0\n")) == exports.parse(text)


def test_the_files_of_a_folder_are_told_apart() -> None:
    text = (
        "/etc/exports:/a b\n/etc/exports:# x\n/etc/exports.d/x.exports:/a c\\\n/etc/exports.d/x.exports:d\n"
    )
    assert exports.files(text) == {
        "/etc/exports": {"/a": {"b": DEFAULT}},
        "/etc/exports.d/x.exports": {"/a": {"c": DEFAULT, "d": DEFAULT}},
    }


@pytest.mark.parametrize(
    ("asked", "address", "covered"),
    [
        (["*"], "10.0.0.1", True), (["10.0.0.0/24"], "10.0.0.13", True), (["10.0.0.5/24"], "10.0.0.13", True),
        (["10.0.0.13"], "10.0.0.13", True), (["10.1.0.0/24", "a.example.com", "@group"], "10.0.0.13", False),
        (["fe80::/10"], "fe80::1", True), (["10.0.0.0/24"], "fe80::1", False), ([], "10.0.0.1", False),
    ],
)  # fmt: skip
def test_which_addresses_clients_cover(asked: list[str], address: str, covered: bool) -> None:
    assert exports.covers(asked, address) is covered


# --- modprobe and disks -----------------------------------------------------------------------------------


def test_of_a_parameter_that_is_set_twice_the_last_counts() -> None:
    text = "options zfs zfs_arc_max=1 x\n# options zfs zfs_arc_max=2\noptions zfs_other zfs_arc_max=3\n"
    text += "blacklist zfs\n  options   zfs zfs_arc_max=4 zfs_arc_min=2 # why\noptions\n"
    assert modprobe.options(text, "zfs") == {"zfs_arc_max": "4", "x": "", "zfs_arc_min": "2"}
    assert modprobe.options("", "zfs") == {}


LSBLK = {"blockdevices": [{"name": "nvme0n1", "type": "disk", "mountpoints": [None]}]}


def contents(there: str = "there", wipefs: object = "", lsblk: object = "") -> str:
    return disks.contents(there, *(json.dumps(part) if part else "" for part in (wipefs, lsblk)))


def test_a_disk_is_blank_missing_or_what_it_holds() -> None:
    assert (contents("missing"), contents(), contents(lsblk=LSBLK)) == ("missing", "blank", "blank")
    part = {
        "name": "nvme0n1p1",
        "mountpoints": ["/boot", None],
        "children": [{"name": "x", "mountpoints": ["/y"]}],
    }
    used = {"blockdevices": [{"name": "nvme0n1", "mountpoints": ["/srv"], "children": [part]}]}
    found = contents(lsblk=used)
    assert [
        word for word in ("/srv", "nvme0n1p1", "/boot", "the partition x", "/y") if word not in found
    ] == []


def left(*parts: dict[str, object], wipefs: tuple[str, ...] = ("gpt", "gpt", "PMBR"), **disk: object) -> str:
    """How far the making of the pool `tank` came on a disk that holds this."""
    row = {"name": "sda", "mountpoints": [None], "fstype": None, "label": None, "partlabel": None, **disk}
    shown = {"blockdevices": [row | ({"children": list(parts)} if parts else {})]}
    signatures = {"signatures": [{"type": kind, "label": None} for kind in wipefs]}
    return disks.unfinished("there", json.dumps(signatures), json.dumps(shown), "tank")


def test_what_a_cut_zpool_create_leaves_is_told_from_all_else() -> None:
    first = {"name": "sda1", "mountpoints": [None], "fstype": None, "label": None}
    first |= {"partlabel": "zfs-03063add7b224522"}
    last = {"name": "sda9", "mountpoints": [None], "fstype": None, "label": None, "partlabel": None}
    pool = first | {"fstype": "zfs_member", "label": "tank"}
    assert disks.unfinished("missing", "", "", "tank") == ""
    assert left(wipefs=()) == disks.BLANK
    assert left(wipefs=("gpt",)) == disks.PARTITIONED  # nobody has read the table yet
    assert left(first, last) == disks.PARTITIONED
    assert left(pool, last) == disks.COMPLETE
    for_a_name_like_nvme = {"name": "nvme0n1"}
    parts = [part | {"name": f"nvme0n1p{number}"} for part, number in ((first, 1), (last, 9))]
    assert left(*parts, **for_a_name_like_nvme) == disks.PARTITIONED
    for parts, more in (
        ([pool | {"label": "other"}, last], {}),
        ([first | {"fstype": "ext4"}, last], {}),
        ([first | {"partlabel": "zfs-of-mine"}, last], {}),
        ([first | {"partlabel": None}, last], {}),
        ([first | {"mountpoints": ["/srv"]}, last], {}),
        ([first, last | {"fstype": "ext4"}], {}),
        ([first, last | {"name": "sda2"}], {}),
        ([first], {}),
        ([first, last | {"children": [last]}], {}),
        ([first, last], {"wipefs": ("gpt", "ext4")}),
        ([], {"wipefs": ("dos",)}),
        ([], {"wipefs": (), "mountpoints": ["/srv"]}),
    ):
        assert left(*parts, **more) == "", (parts, more)  # type: ignore[arg-type]


@recorded
def test_recorded_signatures_are_named() -> None:
    for number, words in {11: ["ext4", "olddata"], 12: ["swap", "oldswap"]}.items():
        found = disks.contents("there", said("20-zpool", number), "")
        assert [word for word in words if word not in found] == []
    assert disks.contents("there", said("20-zpool", 62), "") == "part of the ZFS pool 'quickOS'"
    blank = next(entry.stdout for entry in transcripts.load("20-zpool") if entry.n == 2)
    assert disks.contents("there", "", blank) == "blank"
