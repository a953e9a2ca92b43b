"""The fuzzers: each harness compiled with libFuzzer and the sanitizers, in several builds.

The kernel has paths that only other machines take, and sizes that an input of some hundred bytes
never reaches. So there are builds without the vector instructions and the byte order of this
machine, with small sizes instead, and with inputs made long.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
KERNEL = HERE.parent.parent / "wc" / "counts" / "native"
DICTIONARY = HERE / "words.dict"
TARGETS = ("count", "delta", "letters", "tweets")
PACKAGES = "clang libclang-rt-dev"
COMPILE_SECONDS = 300
FLAGS = (
    *("-std=c11", "-O1", "-g", "-Wall", "-Wextra"),
    *("-fsanitize=fuzzer,address,undefined", "-fno-sanitize-recover=all"),
)

#: The kernel's sizes in the build named small: all boundaries are met by short inputs.
SMALL = {
    "STEP": 100,
    "WINDOW": 64,  # a multiple of 64
    "BATCH": 3,
    "JOINED": 40,
    "VALUE": 70,
    "FARTHEST": 6,
    "ROUND_WORDS": 4,
    "SPAN_SLOTS": 16,
    "FEW_SLOTS": 8,
    "LARGE_SLOTS": 50,
    "MOVED": 16,
    "SIDE": 4,
    "FREQUENT": 2,
    "KEPT_BYTES": 4096,
    "GIVEN_BACK": 4096,
    "MAPPED": 5000,
    "MANY_TICKETS": 40,
    "CANONICAL_MASK": 0x80000003,  # eight hashes for all words
    "MANY_RANKS": 200,
    "COUNTED": 16,
    "SOME_RANKS": 12,
    "FEW_RANKS": 4,
    "PAIRED": 3,
    "DEEPEST": 24,
    "FETCH_AHEAD": 2,
}


class CannotFuzz(Exception):
    """No fuzzer can be built or run here; the message says why."""


@dataclass(frozen=True)
class Build:
    """One way to compile a harness. `share` of the time is spent on it.

    Builds that find much the same interesting share a folder of inputs.
    """

    name: str
    flags: tuple[str, ...] = ()
    sizes: dict[str, int] = field(default_factory=dict)
    share: int = 3
    corpus: str = "corpus"


BUILDS = (
    Build("shipped"),
    # As on a machine whose vectors have 16 bytes, not 64.
    Build("narrow", ("-DWITHOUT_AVX512",), share=2),
    # As on a machine with other instructions, another byte order, and no numbers of 128 bits.
    Build("portable", ("-U__SSE2__", "-U__BYTE_ORDER__", "-U__SIZEOF_INT128__")),
    Build("small", sizes=SMALL),
    Build("long", ("-DLONG_TEXT=250000",), share=1, corpus="corpus-long"),
)
PLANTED = Build("planted", ("-DPLANTED_BUG",), sizes=SMALL)  # which tries most inputs a second


def compiled(target: str, build: Build, folder: Path) -> Path:
    """Compile a target's harness into `folder`. Raises CannotFuzz."""
    if shutil.which("clang") is None:
        raise CannotFuzz(f"there is no clang: apt-get install {PACKAGES}")
    folder.mkdir(parents=True, exist_ok=True)
    headers = folder / f"headers-{build.name}"
    copy_headers(headers, build.sizes)
    fuzzer = folder / f"{target}-{build.name}"
    command = ["clang", *FLAGS, *build.flags, f"-I{headers}", f"-I{HERE}"]
    command += [str(HERE / f"{target}.c"), "-o", str(fuzzer)]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=COMPILE_SECONDS, check=False
    )
    if done.returncode != 0:
        said = done.stderr.strip()[-1000:]
        raise CannotFuzz(f"clang cannot build {target}.c (apt-get install {PACKAGES}?): {said}")
    return fuzzer


def copy_headers(folder: Path, sizes: dict[str, int]) -> None:
    """The kernel's headers, some of their sizes replaced. Raises CannotFuzz for an unknown one."""
    missing = set(sizes)
    for header in sorted(KERNEL.rglob("*.h")):
        text = header.read_text()
        for name, size in sizes.items():
            text, found = re.subn(rf"(?m)^#define {name} .*$", f"#define {name} {size}u", text)
            missing -= {name} if found else set()
        copy = folder / header.relative_to(KERNEL)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(text)
    if missing:
        names = ", ".join(sorted(missing))
        raise CannotFuzz(
            f"wc/counts/native/ defines no {names} any more: correct SMALL in {__file__}"
        )
