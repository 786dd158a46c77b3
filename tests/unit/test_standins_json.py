"""The JSON of the lab's stand-ins is JSON."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from phoenix_hypervisor import lab

STANDINS = Path(lab.__file__).with_name("standins")
VALUES = [
    {},
    [],
    {"b": [1, 2.5, None, True], "a": {"z": "", "y": {"x": []}}},
    'every "sign" \\ / \n \t \x00 ä € 😀 \udc80',
    12345678901234567890,
]


@pytest.fixture(scope="module")
def quick_json():
    sys.path.insert(0, str(STANDINS))
    try:
        spec = importlib.util.spec_from_file_location("quick_json", STANDINS / "quick_json.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(STANDINS))
        sys.modules.pop("hints", None)
    return module


@pytest.mark.parametrize("value", VALUES, ids=range(len(VALUES)))
def test_it_writes_and_reads_what_json_does(quick_json, value):
    assert quick_json.dumps(value) == json.dumps(value, sort_keys=True)
    for text in (json.dumps(value), f"\n {json.dumps(value, indent=1, ensure_ascii=False)}\n"):
        assert quick_json.loads(text) == value


@pytest.mark.parametrize("text", ["", " ", "{", '{"a": }', "x"])
def test_what_is_no_json_is_an_error(quick_json, text):
    with pytest.raises(ValueError):
        quick_json.loads(text)


def test_a_stand_in_that_needs_no_more_starts_without_what_is_slow():
    code = (
        "import model, sys; print(*sorted({'json', 're', 'enum', 'typing', 'contextlib'} & set(sys.modules)))"
    )
    ended = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {str(STANDINS)!r}); {code}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout == "\n"
