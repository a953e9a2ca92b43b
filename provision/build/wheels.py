"""The Python environment of a host, carried there as one file: a host needs no Python registry.

The file is a zip Python can run: the wheels of our dependencies for the host's Python and machine,
the wheel of the project, and `installer.py` as its main. Its name is the hash of what is in it,
so equal content is never sent or installed twice, and a change of code shows as a new name.
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

# What runs on hosts; the rest stays with the controller.
HOST_PACKAGES = ("wc", "cgroups", "faults/host")
SOURCES = ("*.py", "*.lua", "py.typed")
PIP_SECONDS = 300
EPOCH = (1980, 1, 1, 0, 0, 0)  # no clock in a wheel: equal sources, equal bytes
GLIBC_TAGS = ("manylinux_2_28", "manylinux_2_17", "manylinux2014")


class WheelError(Exception):
    """The wheels for a host could not be had; the message says what to do."""


@dataclass(frozen=True)
class Platform:
    """`python` is (major, minor, patch); `machine` as `uname -m` says it."""

    python: tuple[int, ...]
    machine: str


@dataclass(frozen=True)
class Bundle:
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
    """The project as a wheel: name and content. The compiled kernel goes with it, if there is one;
    what else there is to do is zipping."""
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
    """Wheels of the dependencies, downloaded once for each platform and set of requirements."""
    requirements = [*project["dependencies"], *_by_version(platform)]
    version = f"{platform.python[0]}.{platform.python[1]}"
    text = "\n".join([*sorted(requirements), version, platform.machine])
    folder = cache() / "wheels" / hashlib.sha256(text.encode()).hexdigest()[:16]
    if not folder.is_dir():
        _download(requirements, version, platform.machine, folder)
    return sorted(folder.glob("*.whl"))


def _project() -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads((DATA / "pyproject.toml").read_text())["project"]
    return found


def _by_version(platform: Platform) -> list[str]:
    """What redis-py needs only on older Pythons: pip judges that by its own version, not theirs."""
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
        except OSError:  # another run may have been faster
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
