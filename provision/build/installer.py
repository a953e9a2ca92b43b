"""The installer, which runs on a host as the bundle's main: it makes a virtual environment and
unpacks the wheels into it.

    python3 BUNDLE TARGET

A host may lack pip, ensurepip and python3-venv, so this does what pip does for wheels without a
.data folder: unpack, keep the metadata, write the entry points' scripts, compile. The caller holds
a lock. TARGET/.complete is written last; a target without it is removed and made again. Standard
library only. Exit codes: 0 done or already there, 1 refused.
"""

from __future__ import annotations

import compileall
import configparser
import io
import os
import re
import shutil
import sys
import venv
import zipfile
from pathlib import Path

SCRIPT = """#!{python}
import sys
from {module} import {function}
sys.exit({function}())
"""


def main(bundle: str, target: Path) -> int:
    marker = target / ".complete"
    if marker.exists():
        return 0
    os.umask(0o022)  # an unprivileged user runs programs from here
    shutil.rmtree(target, ignore_errors=True)
    venv.EnvBuilder(with_pip=False, symlinks=True).create(target)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    site = target / "lib" / version / "site-packages"
    with zipfile.ZipFile(bundle) as archive:
        for name in archive.namelist():
            if name.endswith(".whl"):
                install(name, archive.read(name), site, target / "bin")
    # Those who use the environment cannot write to it, so modules are compiled now.
    skip_tests = re.compile(r"/tests?/")
    compileall.compile_dir(site, quiet=2, rx=skip_tests, workers=1)
    marker.touch()
    return 0


def install(name: str, wheel: bytes, site: Path, scripts: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(wheel)) as archive:
        names = archive.namelist()
        if any(".data/" in member for member in names):
            sys.exit(f"{name}: has a .data folder, which this installer does not know")
        archive.extractall(site)
        for member in names:
            if member.endswith(".dist-info/entry_points.txt"):
                write_scripts(archive.read(member).decode(), scripts)


def write_scripts(entry_points: str, folder: Path) -> None:
    parser = configparser.ConfigParser(delimiters=("=",), interpolation=None)
    parser.read_string(entry_points)
    if not parser.has_section("console_scripts"):
        return
    for name, reference in parser.items("console_scripts"):
        module, _, function = reference.partition(":")
        path = folder / name
        path.write_text(SCRIPT.format(python=folder / "python", module=module, function=function))
        path.chmod(0o755)


if __name__ == "__main__":
    sys.exit(main(sys.argv[0], Path(sys.argv[1])))
