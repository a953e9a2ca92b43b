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
TARGETS = ("count", "delta")
PACKAGES = "clang libclang-rt-dev"
COMPILE_SECONDS = 300
FLAGS = (
    *("-std=c11", "-O1", "-g", "-Wall", "-Wextra"),
    *("-fsanitize=fuzzer,address,undefined", "-fno-sanitize-recover=all"),
)

#: The kernel's sizes in the build named small: all boundaries are met by short inputs.
SMALL = {
    "STEP": "100u",
    "WINDOW": "64u",  # a multiple of 64
    "BATCH": "3u",
    "FARTHEST": "6u",
    "FARTHEST_MEAN": "2u",
    "FEW_SLOTS": "8u",
    "LARGE_SLOTS": "50u",
    "FREQUENT": "2u",
    "KEPT_BYTES": "4096u",
    "MAPPED": "5000u",
    "ROUND_WORDS": "4u",
    "LISTED": "5u",
    # sixteen canonical hashes for all words; those of a mixed table are whole
    "HASH_MASK(seed)": "((seed)[0] == CANONICAL[0] ? 0xE0000001u : UINT32_MAX)",
}


@dataclass(frozen=True)
class Bug:
    """A plausible mistake: what stands in a header, and what might."""

    target: str
    header: str
    right: str
    wrong: str


#: Such show that fuzzing finds mistakes (test_fuzz.py).
BUGS = {
    # a character that a piece cuts
    "utf-8": Bug(
        "count", "scan/text.h", "buffer + table->valid, end)", "buffer + table->end - some, end)"
    ),
    # a search that leaves the spare slots
    "spare": Bug("count", "table/slots.h", "(FARTHEST + BATCH + 1)", "(FARTHEST / 3)"),
    # a word that is sorted to before two others
    "cluster": Bug("count", "deltas/pack.h", "last = entry_hash(table, at - 1);", "last = hash;"),
    # long words keep the hash that they had before the table was mixed
    "mixed": Bug("count", "table/rebuild.h", "seed[0] != table->seed[0]", "seed == table->seed"),
    # a table grows over words that have not moved
    "growth": Bug("count", "table/rebuild.h", "(4 * FARTHEST)", "(FARTHEST / 3)"),
    # a wide word that a window cuts is taken for ASCII by what its last window has
    "runs": Bug(
        "count", "scan/text.h", "wide && !is_ascii(bytes, length)", "wide && !is_ascii(bytes, 1)"
    ),
    # the last word of each slice
    "slice": Bug("delta", "deltas/fold.h", "delta->next < last", "delta->next + 1 < last"),
    # a count that is read with the wrong width
    "width": Bug(
        "delta",
        "deltas/delta.h",
        "delta->count_width, delta->count_width)",
        "delta->count_width, 1)",
    ),
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
    sizes: dict[str, str] = field(default_factory=dict)
    bug: Bug | None = None
    share: int = 3
    corpus: str = "corpus"


BUILDS = (
    Build("shipped"),
    # As on a machine with other instructions, another byte order, and no numbers of 128 bits.
    Build("portable", ("-U__SSE2__", "-U__BYTE_ORDER__", "-U__SIZEOF_INT128__")),
    Build("small", sizes=SMALL),
    Build("long", ("-DLONG_TEXT=250000",), share=1, corpus="corpus-long"),
)


def compiled(target: str, build: Build, folder: Path) -> Path:
    """Compile a target's harness into `folder`. Raises CannotFuzz."""
    if shutil.which("clang") is None:
        raise CannotFuzz(f"there is no clang: apt-get install {PACKAGES}")
    folder.mkdir(parents=True, exist_ok=True)
    headers = folder / f"headers-{build.name}"
    copy_headers(headers, build.sizes, build.bug)
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


def copy_headers(folder: Path, sizes: dict[str, str], bug: Bug | None = None) -> None:
    """The kernel's headers, with other sizes or a bug. Raises CannotFuzz for an unknown one."""
    missing = set(sizes)
    for header in sorted(KERNEL.rglob("*.h")):
        text = header.read_text()
        for name, size in sizes.items():
            line = rf"(?m)^#define {re.escape(name)} .*$"
            text, found = re.subn(line, f"#define {name} {size}", text)
            missing -= {name} if found else set()
        where = header.relative_to(KERNEL)
        if bug and where.as_posix() == bug.header:
            if text.count(bug.right) != 1:
                raise CannotFuzz(f"{bug.header}: {bug.right!r} is not there once: correct BUGS")
            text = text.replace(bug.right, bug.wrong)
        copy = folder / where
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(text)
    if missing:
        names = ", ".join(sorted(missing))
        raise CannotFuzz(
            f"wc/counts/native/ defines no {names} any more: correct SMALL in {__file__}"
        )
