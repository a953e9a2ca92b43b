"""Building the compiled counting kernel, where there are a compiler and Python's headers.

The extension (wc/counts/_kernel.abi3.so) works with every Python from 3.11 on, on the machine type
of this machine, and goes into the wheel for such hosts. Hosts without it count in plain Python:
slower, with the same result. `python -m provision.build.extension` builds it into the checkout, for
tests and benchmarks.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

from provision.build.cache import IN_CHECKOUT, PACKAGES, cache

NAME = "_kernel.abi3.so"
#: The package that contains the extension.
PLACE = "wc/counts"
BUILD_SECONDS = 300
FIX = "apt-get install gcc libc6-dev python3-dev, then fab provision"


class CannotBuild(Exception):
    """The extension cannot be built here; the message says why."""


def extension(machine: str) -> bytes | None:
    """The extension for hosts of a machine type (`uname -m`); None if it cannot be built here."""
    if machine != platform.machine():
        return None
    try:
        return build().read_bytes()
    except CannotBuild:
        return None


def build() -> Path:
    """The extension's file, built once for each source and compiler. Raises CannotBuild."""
    if not IN_CHECKOUT:  # `pip install` has built it, if it could
        if not (PACKAGES / PLACE / NAME).exists():
            raise CannotBuild("it was not when faultline was installed: pip install it again")
        return PACKAGES / PLACE / NAME
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise CannotBuild("there is no C compiler")
    if not (Path(sysconfig.get_path("include")) / "Python.h").exists():
        raise CannotBuild(f"Python's headers are not in {sysconfig.get_path('include')}")
    version = subprocess.run([compiler, "--version"], capture_output=True, check=False).stdout
    key = hashlib.sha256(version)
    for source in kernel_sources():
        key.update(source.read_bytes())
    target = cache() / "kernel" / key.hexdigest()[:16] / NAME
    if not target.exists():
        _compile(target)
    return target


def kernel_sources() -> list[Path]:
    """The files that the extension is built from, in a checkout."""
    native = PACKAGES / "wc" / "counts" / "native"
    return [PACKAGES / "setup.py", *sorted(native.rglob("*.[ch]"))]


def _compile(target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        command = [sys.executable, "setup.py", "--quiet", "build_ext"]
        command += ["--build-lib", f"{folder}/lib", "--build-temp", f"{folder}/temp"]
        try:
            done = subprocess.run(
                command,
                cwd=PACKAGES,
                env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
                capture_output=True,
                text=True,
                timeout=BUILD_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise CannotBuild(f"not built within {BUILD_SECONDS} s") from None
        libraries = sorted(Path(folder).rglob("*.so"))
        if done.returncode != 0 or not libraries:
            raise CannotBuild(f"the compiler says: {(done.stderr or done.stdout).strip()[-600:]}")
        libraries[0].replace(target)  # another run may have built the same bytes meanwhile


def main() -> int:
    try:
        beside = Path(shutil.copy(build(), PACKAGES / PLACE / f"{NAME}.new"))
        beside.replace(PACKAGES / PLACE / NAME)  # processes may have the old one mapped
    except CannotBuild as error:
        sys.stderr.write(f"the compiled kernel is not built: {error} ({FIX})\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
