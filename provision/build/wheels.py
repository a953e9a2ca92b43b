"""The bundle: a host's Python environment in one file, so that hosts need no package registry.

It is a zip file that Python can run: the wheels of our dependencies for the host's Python and
machine type, the project's own wheel, and `installer.py` as its main. Its name is the hash of what
it is made of, so it is not sent or installed twice, and changed code has a new name. It is the same
from every controller: requirements.txt has the dependencies' versions and hashes, and of the
compiled kernel the source counts, as compilers differ.
"""

from __future__ import annotations

import base64
import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from provision.build.cache import DATA, PACKAGES, cache
from provision.build.extension import NAME, PLACE, extension, kernel_sources

# The packages that run on hosts.
HOST_PACKAGES = ("wc", "cgroups", "faults/host")
SOURCES = ("*.py", "*.lua", "py.typed")
LOCK = Path(__file__).with_name("requirements.txt")
#: What only Pythons before these need. A marker would be of no use: pip asks its own Python.
ONLY_BEFORE = {"async-timeout": (3, 11, 3), "backports-zstd": (3, 14, 0)}
PIP_SECONDS = 300
EPOCH = (1980, 1, 1, 0, 0, 0)  # no clock in a wheel: equal sources, equal bytes
GLIBC_TAGS = ("manylinux_2_28", "manylinux_2_17", "manylinux2014")


class WheelError(Exception):
    """The wheels for a host cannot be downloaded. The message says what to do."""


@dataclass(frozen=True)
class Platform:
    """A host's platform: `python` is (major, minor, patch), `machine` the output of `uname -m`."""

    python: tuple[int, ...]
    machine: str


@dataclass(frozen=True)
class Bundle:
    """A bundle's name and content, and the files of the project's wheel in it."""

    name: str
    content: bytes
    modules: frozenset[str]


def bundle(platform: Platform) -> Bundle:
    """The runnable bundle for a platform. WheelError when a wheel cannot be downloaded."""
    project = _project()
    wheels = {path.name: path.read_bytes() for path in dependency_wheels(platform)}
    compiled = extension(platform.machine)
    installer = (Path(__file__).with_name("installer.py")).read_bytes()
    made_of = {"installer": installer, **wheels, **_sources()}
    if compiled is not None:
        made_of |= {str(path.name): path.read_bytes() for path in kernel_sources() if path.exists()}
    python = ".".join(map(str, platform.python))
    key = hashlib.sha256(f"{python} {platform.machine} {_metadata(project)}\n".encode())
    for name, data in sorted(made_of.items()):
        key.update(f"{name} {hashlib.sha256(data).hexdigest()}\n".encode())
    name, content = project_wheel(project, compiled)
    wheels[name] = content
    members = {"__main__.py": installer}
    members |= {f"wheels/{name}": wheels[name] for name in sorted(wheels)}
    modules = frozenset(zipfile.ZipFile(io.BytesIO(content)).namelist())
    return Bundle(key.hexdigest()[:16], _zip(members, zipfile.ZIP_STORED), modules)


def _sources() -> dict[str, bytes]:
    """The files of the packages that run on hosts, by path."""
    return {
        str(path.relative_to(PACKAGES)): path.read_bytes()
        for package in HOST_PACKAGES
        for pattern in SOURCES
        for path in sorted((PACKAGES / package).rglob(pattern))
    }


def project_wheel(project: dict[str, Any], compiled: bytes | None) -> tuple[str, bytes]:
    """The project's wheel, as its name and content, with the compiled kernel if there is one."""
    label = f"{project['name']}-{project['version']}"
    members = _sources()
    if compiled is not None:
        members[f"{PLACE}/{NAME}"] = compiled
    info = f"{label}.dist-info"
    members[f"{info}/METADATA"] = _metadata(project).encode()
    tag = "py3-none-any" if compiled is None else f"cp311-abi3-linux_{os.uname().machine}"
    pure = "true" if compiled is None else "false"
    members[f"{info}/WHEEL"] = (
        f"Wheel-Version: 1.0\nGenerator: faultline\nRoot-Is-Purelib: {pure}\nTag: {tag}\n"
    ).encode()
    record = "".join(f"{name},{_record_hash(data)},{len(data)}\n" for name, data in members.items())
    members[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    return f"{label}-{tag}.whl", _zip(members, zipfile.ZIP_DEFLATED)


def _metadata(project: dict[str, Any]) -> str:
    requires = "".join(f"Requires-Dist: {line}\n" for line in project["dependencies"])
    return (
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
        f"Requires-Python: {project['requires-python']}\n{requires}"
    )


def dependency_wheels(platform: Platform) -> list[Path]:
    """The dependencies' wheels, downloaded once for each platform and set of requirements."""
    requirements = locked(platform)
    version = f"{platform.python[0]}.{platform.python[1]}"
    text = f"{requirements}{version}\n{platform.machine}"
    folder = cache() / "wheels" / hashlib.sha256(text.encode()).hexdigest()[:16]
    if not folder.is_dir():
        _download(requirements, version, platform.machine, folder)
    return sorted(folder.glob("*.whl"))


def version() -> str:
    """The project's own version."""
    return str(_project()["version"])


def _project() -> dict[str, Any]:
    text = (DATA / "pyproject.toml").read_text()
    project: dict[str, Any] = tomllib.loads(text)["project"]
    return project


def locked(platform: Platform) -> str:
    """The requirements of a platform, with their versions and the hashes of their files."""
    text = LOCK.read_text()
    for name, first in ONLY_BEFORE.items():
        if platform.python >= first:
            text = re.sub(rf"^{name}==(.*\\\n)*.*\n", "", text, flags=re.MULTILINE)
    return text


def _download(requirements: str, version: str, machine: str, folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix="download-", dir=folder.parent))
    options = [f"--platform={tag}_{machine}" for tag in GLIBC_TAGS]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--only-binary=:all:"]
    command += [f"--dest={aside}", f"--python-version={version}", "--implementation=cp"]
    command += ["--no-deps", "--require-hashes", f"--requirement={aside / LOCK.name}"]
    try:
        (aside / LOCK.name).write_text(requirements)
        done = subprocess.run(
            [*command, *options],
            capture_output=True,
            text=True,
            timeout=PIP_SECONDS,
            check=False,
        )
        if done.returncode != 0:
            raise WheelError(
                f"wheels for Python {version} on {machine} cannot be downloaded (needed once, then"
                f" kept in {folder.parent}): {done.stderr.strip()[-600:]}"
            )
        try:
            aside.rename(folder)
        except OSError:  # another run may have downloaded them meanwhile
            if not folder.is_dir():
                raise
    except subprocess.TimeoutExpired:
        raise WheelError(f"no wheels after {PIP_SECONDS} s: is the package index slow?") from None
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _record_hash(data: bytes) -> str:
    encoded = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return f"sha256={encoded}"


def _zip(members: dict[str, bytes], method: int) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in members.items():
            info = zipfile.ZipInfo(name, EPOCH)
            info.compress_type = method
            info.external_attr = 0o644 << 16
            archive.writestr(info, data)
    return out.getvalue()
