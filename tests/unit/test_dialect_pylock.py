"""Lock files of Python packages: which wheel is taken, and what is wrong with a file, in words."""

import pytest

from phoenix_hypervisor.dialects.pylock import Wheel, wheels

SHA256 = "4721f391ed90541fddacab5acf947aa0d3dc7d27b2e1e8eda2be8970586c3274"


def lock(*files: str, name: str = "Six_x", sha256: str = SHA256) -> str:
    rows = ", ".join(
        f'{{ url = "https://example.org/{file}", hashes = {{ sha256 = "{sha256}" }} }}' for file in files
    )
    return f'lock-version = "1.0"\n[[packages]]\nname = "{name}"\nversion = "1.2"\nwheels = [{rows}]\n'


def taken(*files: str) -> str:
    (wheel,) = wheels(lock(*files), "3.12.16")
    return wheel.file


def test_a_wheel_says_what_it_is() -> None:
    (wheel,) = wheels(lock("six_x-1.2-py3-none-any.whl"), "3.12.16")
    assert wheel == Wheel("six-x", "1.2", "https://example.org/six_x-1.2-py3-none-any.whl", SHA256)
    assert (wheel.file, wheel.record) == ("six_x-1.2-py3-none-any.whl", "six_x-1.2.dist-info")


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ("x-1.2-cp312-cp312-manylinux_2_28_x86_64.whl", "x-1.2-cp39-abi3-manylinux_2_28_x86_64.whl"),
        ("x-1.2-cp39-abi3-manylinux2014_x86_64.whl", "x-1.2-py3-none-any.whl"),
        ("x-1.2-py37-none-any.whl", "x-1.2-cp313-abi3-manylinux2014_x86_64.whl"),
        ("x-1.2-py2.py3-none-any.whl", "x-1.2-cp312-cp312-musllinux_1_2_x86_64.whl"),
        ("x-1.2-py3-none-any.whl", "x-1.2-cp312-cp312-manylinux_2_28_aarch64.whl"),
        ("x-1.2-py3-none-any.whl", "x-1.2-cp312-cp312t-manylinux_2_28_x86_64.whl"),
        ("x-1.2-py3-none-any.whl", "x-1.2-cp312-cp312-manylinux_2_41_x86_64.whl"),
        ("x-1.2-1-py3-none-manylinux1_x86_64.whl", "x-1.2-py2-none-any.whl"),
    ],
)
def test_the_wheel_that_fits_best_is_taken(better: str, worse: str) -> None:
    assert taken(better, worse) == taken(worse, better) == better


WRONG = {
    "[": "is no TOML",
    "x = 1\n": "is no pylock.toml: it has no `lock-version` 1",
    'lock-version = "1.0"\n': "names no packages",
    'lock-version = "1.0"\n[[packages]]\nname = "x"\n': "has a package without name or version: x",
    lock(): "Six_x 1.2 has no wheel for Python 3.12.16 on x86-64",
    lock("x-1.2.tar.gz", "x-1.2-cp311-cp311-win_amd64.whl"): "Six_x 1.2 has no wheel",
    lock("x-1.2-py3-none-any.whl", sha256="abc"): "Six_x 1.2 has no sha256",
    lock("x y/x-1.2-py3-none-any.whl"): "Six_x 1.2 has no address from which it could be fetched",
    lock("x-1.2-py3-none-any.whl") + lock("x-1.2-py3-none-any.whl").partition("\n")[2]: "has six-x more than",
}


@pytest.mark.parametrize("text", WRONG)
def test_a_file_that_cannot_be_used_is_said_in_words(text: str) -> None:
    with pytest.raises(ValueError, match=r".") as raised:
        wheels(text, "3.12.16")
    assert str(raised.value).startswith(WRONG[text])
