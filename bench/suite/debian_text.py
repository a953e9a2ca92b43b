"""Real text in quantity: what Debian's documentation packages hold, as one file.

Packages are downloaded and unpacked beside, not installed; where that cannot be, those that are
installed are taken. Files are put in an order of no meaning, so that any part of the text is as
varied as the whole. What is no text (a NUL byte, markup of programs) or there twice is left out.

Every byte sequence that is not UTF-8 becomes U+FFFD, and white space other than a newline becomes
a blank. That changes no word, and lets every system that is compared use the fastest way it has to
split: systems differ in what they take for white space (U+00A0, U+0085, 0x0B, 0x1C to 0x1F).
"""

from __future__ import annotations

import gzip
import hashlib
import json
import random
import re
import shutil
import subprocess
import tempfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

#: Some of these depend on a package of the current version's documentation, which is taken then.
PACKAGES = (
    "linux-doc",
    "python3-doc",
    "postgresql-doc",
    "perl-doc",
    "vim-doc",
    "dict-gcide",
    "dict-wn",
    "manpages-de",
    "manpages-ja",
)
COMPRESSED = {".gz", ".dz"}
NO_TEXT = {".js", ".css", ".svg", ".json", ".index", ".xml", ".dot", ".devhelp"}
#: White space that is not a newline; more than one kind of it means nothing to words.
BLANKS = re.compile(r"[^\S\n]")
#: A change of what this module makes needs another number: it is part of the cache's key.
VERSION = 1
APT_SECONDS = 600


class NoText(Exception):
    """There is no text to be had; the message says what to do."""


@dataclass(frozen=True)
class Stock:
    """The text. ``size`` in bytes, all distinct; ``packages`` as name=version."""

    path: Path
    size: int
    files: int
    packages: list[str]


def recipe() -> str:
    return hashlib.sha256(json.dumps([VERSION, PACKAGES]).encode()).hexdigest()[:12]


def stock(cache: Path, say: Callable[[str], None]) -> Stock:
    """The text, from the cache or made now. Raises NoText."""
    folder = cache / f"stock-{recipe()}"
    about = folder / "about.json"
    if not about.exists():
        say(f"making the text from Debian packages: {', '.join(PACKAGES)}")
        with tempfile.TemporaryDirectory(dir=cache, prefix="new-") as name:
            made = _make(Path(name), cache)
            (Path(name) / "about.json").write_text(json.dumps(asdict(made) | {"path": ""}))
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(name, folder, copy_function=shutil.move)
    found = json.loads(about.read_text())
    return Stock(**(found | {"path": folder / "text"}))


def _make(target: Path, cache: Path) -> Stock:
    packages, seen = [], set()
    texts: list[bytes] = []
    with tempfile.TemporaryDirectory(dir=cache, prefix="unpacked-") as name:
        for package in PACKAGES:
            found = _unpack(package, Path(name)) or _from_installed(package)
            if found is None:
                raise NoText(
                    f"{package} can be neither downloaded nor found: run `apt-get update`, or "
                    f"`apt-get install {package}` where this machine may do that"
                )
            packages += found[0]
            for path in found[1]:
                content = _text(path)
                digest = hashlib.sha256(content).digest()
                if content and digest not in seen:
                    seen.add(digest)
                    texts.append(content)
    random.Random(1).shuffle(texts)
    size = 0
    with (target / "text").open("wb") as out:
        for content in texts:
            size += out.write(content + b"\n")
    return Stock(target / "text", size, len(texts), packages)


def _names(package: str) -> list[str]:
    """The package, and what it depends on among documentation."""
    listing = _output("apt-cache", "depends", "--important", package)
    return [package, *re.findall(r"Depends: (\S*-doc\S*)", listing or "")]


def _unpack(package: str, folder: Path) -> tuple[list[str], list[Path]] | None:
    target = folder / package
    target.mkdir()
    # apt downloads as a user of its own, where that user may write.
    folder.chmod(0o755)
    target.chmod(0o777)
    if _output("apt-get", "download", *_names(package), cwd=target) is None:
        return None
    packages = []
    for archive in sorted(target.glob("*.deb")):
        name, version, _ = archive.name.split("_")
        packages.append(f"{name}={version.replace('%3a', ':')}")
        if _output("dpkg-deb", "-x", archive.name, "tree", cwd=target) is None:
            return None
    return packages, _regular((target / "tree").rglob("*"))


def _from_installed(package: str) -> tuple[list[str], list[Path]] | None:
    packages, paths = [], []
    for name in _names(package):
        version = _output("dpkg-query", "-W", "-f", "${Version}", name)
        listing = _output("dpkg-query", "-L", name)
        if not version or listing is None:
            return None
        packages.append(f"{name}={version}")
        paths += [Path(line) for line in listing.splitlines()]
    return packages, _regular(iter(paths))


def _regular(paths: Iterator[Path]) -> list[Path]:
    return sorted(path for path in paths if path.is_file() and not path.is_symlink())


def _text(path: Path) -> bytes:
    """The file's text; nothing if it is none."""
    content, name = path.read_bytes(), path
    if path.suffix in COMPRESSED:
        try:
            content, name = gzip.decompress(content), path.with_suffix("")
        except (OSError, EOFError, zlib.error):
            return b""
    if name.suffix in NO_TEXT or b"\0" in content:
        return b""
    return BLANKS.sub(" ", content.decode(errors="replace")).encode()


def _output(*command: str, cwd: Path | None = None) -> str | None:
    """What a command prints; None if it is not there or fails."""
    if shutil.which(command[0]) is None:
        return None
    done = subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, check=False, timeout=APT_SECONDS
    )
    return done.stdout if done.returncode == 0 else None
