"""Pages that are made from the kinds are current."""

from pathlib import Path

from phoenix_hypervisor.observe import kinds_page

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_of_kinds_is_what_phoenix_kinds_page_prints():
    assert (ROOT / "docs" / "kinds.md").read_text() == kinds_page.page(), (
        "phoenix kinds --page >docs/kinds.md"
    )
