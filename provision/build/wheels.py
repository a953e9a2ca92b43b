"""The bundle: a host's Python environment in one file, so that hosts need no package registry.

It is a zip file that Python can run: the wheels of our dependencies for the host's Python and
machine type, the project's own wheel, and `installer.py` as its main. Its name is the hash of its
content, so equal content is not sent or installed twice, and changed code has a new name.
"""

from __future__ import annotations

import base64
import hashlib
import io
import os
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
from provision.build.extension import NAME, PLACE, extension

# The packages that run on hosts.
HOST_PACKAGES = ("wc", "cgroups", "faults/host")
SOURCES = ("*.py", "*.lua", "py.typed")
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
    wheels = {path.name: path.read_bytes() for path in dependency_wheels(project, platform)}
    name, content = project_wheel(project, extension(platform.machine))
    wheels[name] = content
    installer = (Path(__file__).with_name("installer.py")).read_bytes()
    members = {"__main__.py": installer}
    members |= {f"wheels/{name}": wheels[name] for name in sorted(wheels)}
    packed = _zip(members, zipfile.ZIP_STORED)
    version = ".".join(map(str, platform.python))
    key = hashlib.sha256(f"{version} {platform.machine}\n".encode() + packed).hexdigest()[:16]
    modules = frozenset(zipfile.ZipFile(io.BytesIO(content)).namelist())
    return Bundle(key, packed, modules)


def project_wheel(project: dict[str, Any], compiled: bytes | None) -> tuple[str, bytes]:
    """The project's wheel, as its name and content, with the compiled kernel if there is one."""
    label = f"{project['name']}-{project['version']}"
    members = {}
    for package in HOST_PACKAGES:
        for pattern in SOURCES:
            for path in sorted((PACKAGES / package).rglob(pattern)):
                members[str(path.relative_to(PACKAGES))] = path.read_bytes()
    if compiled is not None:
        members[f"{PLACE}/{NAME}"] = compiled
    requires = "".join(f"Requires-Dist: {line}\n" for line in project["dependencies"])
    info = f"{label}.dist-info"
    members[f"{info}/METADATA"] = (
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
        f"Requires-Python: {project['requires-python']}\n{requires}"
    ).encode()
    tag = "py3-none-any" if compiled is None else f"cp311-abi3-linux_{os.uname().machine}"
    pure = "true" if compiled is None else "false"
    members[f"{info}/WHEEL"] = (
        f"Wheel-Version: 1.0\nGenerator: faultline\nRoot-Is-Purelib: {pure}\nTag: {tag}\n"
    ).encode()
    record = "".join(f"{name},{_record_hash(data)},{len(data)}\n" for name, data in members.items())
    members[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    return f"{label}-{tag}.whl", _zip(members, zipfile.ZIP_DEFLATED)


def dependency_wheels(project: dict[str, Any], platform: Platform) -> list[Path]:
    """The dependencies' wheels, downloaded once for each platform and set of requirements."""
    requirements = [*project["dependencies"], *_by_version(platform)]
    version = f"{platform.python[0]}.{platform.python[1]}"
    text = "\n".join([*sorted(requirements), version, platform.machine])
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


def _by_version(platform: Platform) -> list[str]:
    """What redis-py needs on older Pythons only: pip would ask the controller's Python."""
    return ["async-timeout>=4.0.3"] if platform.python < (3, 11, 3) else []


def _download(requirements: list[str], version: str, machine: str, folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix="download-", dir=folder.parent))
    options = [f"--platform={tag}_{machine}" for tag in GLIBC_TAGS]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--only-binary=:all:"]
    command += [f"--dest={aside}", f"--python-version={version}", "--implementation=cp"]
    try:
        done = subprocess.run(
            [*command, *options, *requirements],
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
