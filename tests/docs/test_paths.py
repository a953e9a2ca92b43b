"""What the documents name exists: paths, modules, links, fab's tasks, the places in the glossary.

Paths and modules are words in inline code and in code blocks that begin with one of the project's
own folders; besides, names of source files. The changelog describes earlier versions and is left
out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from invoke.collection import Collection

import fabfile

CHECKOUT = Path(__file__).resolve().parents[2]
DOCUMENTS = (
    CHECKOUT / "README.md",
    CHECKOUT / "CONTRIBUTING.md",
    *sorted((CHECKOUT / "docs").rglob("*.md")),
)
PACKAGES = sorted(path.parent.name for path in CHECKOUT.glob("*/__init__.py"))
#: A path of ours begins with one of these.
FOLDERS = [*PACKAGES, "bench", "docs", "scripts", "supervisor"]
TASKS = set(Collection.from_module(fabfile).task_names)

PATH = re.compile(rf"(?<![\w./~-])(?:{'|'.join(FOLDERS)})/[\w./-]*")
MODULE = re.compile(rf"(?<![\w./-])(?:{'|'.join(PACKAGES)})(?:\.[a-z_][a-z0-9_]*)+(?![\w/(])")
SOURCE = re.compile(r"(?<![\w./-])[\w-]+\.(?:py|c|h|lua)\b")
SOURCES = {path.name for folder in FOLDERS for path in (CHECKOUT / folder).rglob("*.*")}
LINK = re.compile(r"\]\(([^)\s]+)\)")
#: A word like `inventory.toml` is a file, not a module.
SUFFIXES = {"json", "toml", "log", "md", "py"}


def code(text: str) -> Iterator[str]:
    """Inline code and the lines of code blocks, fenced or indented by four blanks."""
    fences = re.split(r"^```.*$", text, flags=re.MULTILINE)
    yield from "".join(fences[1::2]).splitlines()
    prose = "\n".join(fences[::2])
    yield from re.findall(r"^ {4}(.*)$", prose, flags=re.MULTILINE)
    yield from re.findall(r"`([^`]+)`", re.sub(r"^ {4}.*$", "", prose, flags=re.MULTILINE))


def is_module(name: str) -> bool:
    """Whether the first two parts of a dotted name are a module or a package of ours."""
    parts = name.split(".")
    path = CHECKOUT.joinpath(*parts[:2])
    if parts[-1] in SUFFIXES:
        return True
    while parts[2:] and (path / parts[2]).is_dir():
        path /= parts.pop(2)
    return path.is_dir() or path.with_suffix(".py").exists()


def missing(text: str, document: Path) -> list[str]:
    """What ``text`` names that is not there."""
    found = []
    for line in code(text):
        paths = (p.rstrip(".") for p in PATH.findall(line) if "NAME" not in p)
        found += [p for p in paths if not (CHECKOUT / p).exists()]
        found += [name for name in MODULE.findall(line) if not is_module(name)]
        found += [name for name in SOURCE.findall(line) if name not in SOURCES | {"fabfile.py"}]
        names = re.findall(r"(?<![\w/.-])(?:\.venv/bin/)?fab ([a-z][a-z-]*)", line)
        found += [f"fab {name}" for name in names if name not in TASKS]
    for target in LINK.findall(text):
        path, _, anchor = target.partition("#")
        file = document.parent / path if path else document
        if ":" in target:
            continue
        if not file.exists():
            found.append(target)
        elif anchor and anchor not in anchors(file):
            found.append(f"#{anchor} in {target}")
    return found


def anchors(document: Path) -> set[str]:
    """The names of a page's headings in links, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", document.read_text(), flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-") for h in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda p: str(p.relative_to(CHECKOUT)))
def test_what_a_document_names_exists(document: Path) -> None:
    # Given a document; expect each path, module, link and command in it to exist
    assert missing(document.read_text(), document) == []


def test_what_is_missing_is_found() -> None:
    # Given text that names what is not there, beside what is; expect just the former
    text = """
Read [this](docs/nowhere.md), [that](docs/README.md#nothing), [here](docs/README.md#decisions),
`wc/core/config.py`, `wc/kernel/`, `wc.core.config`, `wc.config`, `control.jobs.job_start.start`,
`etc/wc.json`, `fab status`, `schema.lua`, `nothing.h`.

    fab no-such-task --all
"""
    assert missing(text, CHECKOUT / "README.md") == [
        "fab no-such-task",
        "wc/kernel/",
        "wc.config",
        "nothing.h",
        "docs/nowhere.md",
        "#nothing in docs/README.md#nothing",
    ]


def test_readme_lists_every_command() -> None:
    # Given README's table of commands; expect the tasks that fab knows, and no other
    section = (CHECKOUT / "README.md").read_text().split("## Commands")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (`.*?`) \|", section, flags=re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"`([^`]+)`", row)} == TASKS


def test_contributing_lists_every_package() -> None:
    # Given the packages outside tests/; expect each in the table of places
    table = (CHECKOUT / "CONTRIBUTING.md").read_text()
    folders = [
        path.parent.relative_to(CHECKOUT)
        for package in PACKAGES
        if package != "tests"
        for path in (CHECKOUT / package).rglob("__init__.py")
    ]
    assert [f"{folder}/" for folder in folders if f"`{folder}/`" not in table] == []


def test_the_glossary_says_each_term_once() -> None:
    # Given the glossary's terms; expect each once, and none among the words that are not used
    lines = (CHECKOUT / "docs/glossary.md").read_text().splitlines()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if line[:2] == "| "]
    rows = [row for row in rows if row[0] not in ("term", "---")]
    terms = [term for row in rows for term in row[0].split(", ")]
    assert len(terms) == len(set(terms))
    avoided = {word for row in rows for word in row[4].split(", ") if word}
    assert avoided.isdisjoint(terms)
