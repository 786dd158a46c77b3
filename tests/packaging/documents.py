"""The project's Markdown files: their text, links, and the phoenix commands they show."""

import re
import shlex
from pathlib import Path

PROJECT = Path(__file__).parents[2]
PAGES = sorted([*PROJECT.glob("*.md"), *(PROJECT / "docs").rglob("*.md")])


def name(page):
    return page.relative_to(PROJECT).as_posix()


def links(page):
    """Targets of links that lead somewhere in the project: (file, anchor)."""
    prose = re.sub(r"`[^`\n]*`", "", page.read_text(encoding="utf-8"))  # a pattern in code is no link
    found = re.findall(r"\]\(([^)\s]+)\)", prose)
    return [tuple((link + "#").split("#")[:2]) for link in found if "://" not in link]


def anchors(page):
    """The anchors of a page's headings, as hosts of repositories make them."""
    heads = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def commands(page):
    """Every `phoenix …` line of a page's code blocks, as words; comments and pipes are cut off."""
    found = []
    for line in page.read_text(encoding="utf-8").splitlines():
        shown = re.match(r"(?: {4,}|\t)(?:\$ )?(phoenix .*)$", line)
        if shown and "…" not in shown[1] and "NAME" not in shown[1].split("#")[0]:
            found.append(words(shown[1]))
    return found


def words(line):
    """A command line as the shell would split it, up to the first pipe, redirection or gap of two spaces."""
    lexer = shlex.shlex(re.split(r" {2,}(?![-\w]*=)", line)[0], posix=True, punctuation_chars="|<>;&")
    lexer.whitespace_split = True
    found = []
    for word in lexer:
        if set(word) <= set("|<>;&"):
            break
        found.append(word)
    return found


def section(page, heading):
    """The text below a heading of the second level."""
    return page.read_text(encoding="utf-8").split(f"\n## {heading}\n")[1].split("\n## ")[0]


def table(text, head):
    """The rows of the table whose first line begins with `head`: lists of cells."""
    lines = text[text.index(head) :].splitlines()[2:]
    rows = []
    for line in lines:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split(" | ")])
    return rows
