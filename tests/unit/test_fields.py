"""Field types that kinds share: one spelling for each value, refusal of what is not one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from phoenix_hypervisor.fields import AbsolutePath, Account, Mode, OnOff, Size

GOOD = [
    (Size, "1.4T", 1539316278886),
    (Size, 0, 0),
    (OnOff, True, "on"),
    (OnOff, False, "off"),
    (OnOff, "on", "on"),
    (AbsolutePath, "/tank/a b/ü.x", "/tank/a b/ü.x"),
    (AbsolutePath, "/...", "/..."),
    (Mode, "0750", "750"),
    (Mode, "750", "750"),
    (Mode, "2770", "2770"),
    (Mode, "02770", "2770"),
    (Mode, "0000", "000"),
    (Account, "heads", "heads"),
    (Account, "_apt", "_apt"),
    (Account, "a" * 31, "a" * 31),
]
BAD = [
    *((Size, value) for value in ("", "much", "1.5.5G", "-1", -1, True, None, 1.5, "1Q", [1], "٣G")),
    *((OnOff, value) for value in ("yes", "On", "", None, 1, [])),
    *((AbsolutePath, value) for value in ("", "x", "/", "/a/", "//a", "/a//b", "/a/./b", "/a/../b")),
    *((AbsolutePath, value) for value in ("/a\nb", None, 1)),
    *((Mode, value) for value in ("", "0", "75", "0789", "07777777", "000777", 755, 0o750, True, None, "rwx")),  # noqa: E501
    *((Account, value) for value in ("", "Heads", "1a", "a" * 32, "a b", "a\n", "-a", None)),
]  # fmt: skip


@pytest.mark.parametrize(("field", "written", "value"), GOOD)
def test_a_value_has_one_spelling(field: object, written: object, value: object) -> None:
    adapter = TypeAdapter(field)
    assert adapter.validate_python(written) == value
    assert adapter.validate_python(value) == value


@pytest.mark.parametrize(("field", "written"), BAD)
def test_what_is_not_one_is_refused(field: object, written: object) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(field).validate_python(written)


@given(st.text())
def test_a_path_that_is_taken_is_safe_to_join_and_to_print(text: str) -> None:
    try:
        path = TypeAdapter(AbsolutePath).validate_python(text)
    except ValidationError:
        return
    assert path.startswith("/")
    assert not {"", ".", ".."} & set(path.split("/")[1:])
    assert not any(ord(char) < 32 for char in path)
