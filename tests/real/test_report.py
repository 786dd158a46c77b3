"""The report in a real browser: it shows what it says, in both colour schemes, and complains of nothing."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.unit.site_files import make
from tests.unit.test_report import EVENTS, FILES, recorded

from phoenix_hypervisor.cli.report import page
from phoenix_hypervisor.config import load

BROWSER = shutil.which("chromium")
OPTIONS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--enable-logging=stderr")
DARK = "--blink-settings=preferredColorScheme=0"

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(BROWSER is None, reason="there is no chromium here"),
]


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    make(folder, FILES)
    recorded(folder, EVENTS)
    # what the page itself measures, said where a dump of the document shows it
    probe = (
        "<script>const one = document.querySelectorAll.bind(document);"
        "const wide = document.documentElement.scrollWidth - window.innerWidth;"
        "const style = getComputedStyle(document.body);"
        "document.title = [wide, [...one('.track .bar')].filter(x => x.offsetWidth > 1).length, "
        "one('svg g').length, style.backgroundColor, style.color].join('|')</script></body>"
    )
    file = folder / "report.html"
    file.write_text(page(load(folder), "last").replace("</body>", probe))
    return file


def looked(file: Path, *options: str) -> tuple[list[str], str]:
    """What the page measured, and what the browser's console said."""
    command = [BROWSER or "", *OPTIONS, *options, f"--user-data-dir={file.parent}/profile", "--dump-dom"]
    ended = subprocess.run([*command, f"file://{file}"], capture_output=True, timeout=600, check=True)
    title = re.search(r"<title>(.*)</title>", ended.stdout.decode())
    console = [line for line in ended.stderr.decode().splitlines() if "CONSOLE" in line]
    return (title[1] if title else "").split("|"), "\n".join(console)


@pytest.mark.parametrize("size", ["1200,900", "600,900"])
def test_everything_is_drawn_and_nothing_is_wider_than_the_window(shown: Path, size: str) -> None:
    (wide, bars, boxes, *_), console = looked(shown, f"--window-size={size}")
    assert (int(wide) <= 0, bars, boxes, console) == (True, "4", "3", "")


def test_it_is_light_or_dark_as_the_reader_wants_it(shown: Path) -> None:
    light, _ = looked(shown)
    dark, console = looked(shown, DARK)
    assert light[3:] == ["rgb(246, 247, 249)", "rgb(29, 37, 48)"]
    assert (dark[3:], console) == (["rgb(18, 22, 28)", "rgb(230, 235, 241)"], "")
