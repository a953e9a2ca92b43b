"""The bundle: deterministic, following the sources, and complete without pip or a registry."""

from __future__ import annotations

import platform
import re
import subprocess
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from provision.build import extension, wheels
from provision.build.cache import DATA
from provision.build.installer import main
from provision.build.wheels import Platform, bundle, locked


def this_machine() -> Platform:
    said = subprocess.check_output(["/usr/bin/python3", "-V"], text=True)
    version = tuple(int(part) for part in re.findall(r"\d+", said))
    return Platform(version, platform.machine())


def test_equal_sources_equal_name() -> None:
    first, second = bundle(this_machine()), bundle(this_machine())
    assert (first.name, first.content) == (second.name, second.content)
    assert {
        "wc/worker/daemon.py",
        "wc/backends/lua/merge.lua",
        "wc/counts/_kernel.abi3.so",
    } <= first.modules


def test_without_a_compiler_hosts_count_in_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(extension.CannotBuild, match="no C compiler"):
        extension.build()
    assert "wc/counts/_kernel.abi3.so" not in bundle(this_machine()).modules


def test_another_machine_gets_no_extension_of_ours() -> None:
    assert extension.extension("not-this-one") is None


def test_a_changed_source_is_a_new_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a copy of the project. If one line of wc/ changes, expect another name."""
    for name in ("pyproject.toml", "wc/a.py"):
        target = tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        source = wheels.PACKAGES / name
        target.write_text(source.read_text() if source.exists() else "A = 1\n")
    monkeypatch.setattr(wheels, "PACKAGES", tmp_path)
    before = bundle(this_machine()).name
    (tmp_path / "wc/a.py").write_text("A = 2\n")
    assert bundle(this_machine()).name != before


def test_it_has_one_name_from_every_controller(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given controllers whose compilers differ, and one without. Expect one name for the same
    source, and another for the environment that lacks the kernel."""
    names = []
    for compiled in (b"one compiler's", b"another's", None):
        monkeypatch.setattr(wheels, "extension", lambda _, compiled=compiled: compiled)
        names.append(bundle(this_machine()).name)
    assert names[0] == names[1] != names[2]


@pytest.mark.parametrize("python", [(3, 11, 2), (3, 11, 3), (3, 13, 0), (3, 14, 0)])
def test_the_versions_are_those_that_the_project_allows(python: tuple[int, ...]) -> None:
    lines = locked(Platform(python, "x86_64")).splitlines()
    pins = dict(line.rstrip(" \\").split("==") for line in lines if "==" in line)
    assert ("async-timeout" in pins) == (python < (3, 11, 3))
    hashes = [line for line in lines if line.strip().startswith("--hash=sha256:")]
    assert len(hashes) > len(pins)
    project = tomllib.loads((DATA / "pyproject.toml").read_text())["project"]
    version = ".".join(map(str, python[:2]))
    for wanted in map(Requirement, project["dependencies"]):
        if wanted.marker is None or wanted.marker.evaluate({"python_version": version}):
            # If not, CONTRIBUTING.md says how to make requirements.txt anew.
            assert wanted.specifier.contains(pins[canonicalize_name(wanted.name)]), wanted
            assert wanted.extras <= pins.keys()


def test_installed_it_runs(tmp_path: Path) -> None:
    """Given the bundle as a file. Expect an environment in which everything imports."""
    carried, target = tmp_path / "bundle.pyz", tmp_path / "env"
    carried.write_bytes(bundle(this_machine()).content)
    install = ["/usr/bin/python3", "-I", carried, target]
    subprocess.run(install, check=True)
    code = "import wc.worker.daemon, redis, psutil; from importlib.metadata import version;"
    code += " print(version('redis'), version('faultline'))"
    subprocess.run([target / "bin/python", "-I", "-c", code], check=True, cwd=tmp_path)
    subprocess.run([target / "bin/supervisord", "--version"], check=True)
    stamp = (target / ".complete").stat().st_mtime_ns
    subprocess.run(install, check=True)
    assert (target / ".complete").stat().st_mtime_ns == stamp


def test_a_wheel_it_does_not_know_is_refused(tmp_path: Path) -> None:
    wheel, carried = tmp_path / "odd-1-py3-none-any.whl", tmp_path / "bundle.pyz"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("odd-1.data/scripts/odd", "")
    with zipfile.ZipFile(carried, "w") as archive:
        archive.write(wheel, f"wheels/{wheel.name}")
    with pytest.raises(SystemExit, match=r"has a \.data folder"):
        main(str(carried), tmp_path / "env")
    assert not (tmp_path / "env/.complete").exists()
