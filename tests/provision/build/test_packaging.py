"""What `pip install .` installs: all that runs, with templates, Lua and the compiled kernel."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from provision.build.cache import PACKAGES
from tests.netns import netns_cluster, poll

FOLDERS = ("wc", "provision", "control", "cgroups", "faults", "experiments")
DATA = "faultline-0.1.0.data/data/share/faultline"
#: Imports every module, and renders a template; prints how many modules there are.
IMPORT_ALL = """
import importlib, sys, wc, provision
from pathlib import Path
site, folders = Path(sys.argv[1]), sys.argv[2:]
assert Path(wc.__file__).parent.parent == site, wc.__file__
names = ["fabfile"]
for folder in folders:
    for path in (site / folder).rglob("*.py"):
        name = ".".join(path.relative_to(site).with_suffix("").parts).removesuffix(".__init__")
        if not name.endswith("__main__"):
            names.append(name)
for name in names:
    importlib.import_module(name)
from provision.host import templates
assert b"cluster lab" in templates.render("faultline.service", {
    "cluster": "lab", "folder": "/f", "environment": "/e", "host": "h1"})
import supervisor
assert Path(supervisor.__file__).is_file(), "the package supervisor is hidden"
print(len(names))
"""


def run(*command: object, cwd: Path) -> str:
    done = subprocess.run(
        [str(word) for word in command], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{done.args}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built out of a copy, as building leaves files behind."""
    folder = tmp_path_factory.mktemp("packaging")
    left_out = shutil.ignore_patterns(".*", "__pycache__", "*.so", "*.egg-info")
    shutil.copytree(PACKAGES, folder / "copy", ignore=left_out)
    shutil.rmtree(folder / "copy/build", ignore_errors=True)
    options = ("--quiet", "--no-build-isolation", "--no-deps", "--wheel-dir", folder)
    run(sys.executable, "-m", "pip", "wheel", *options, ".", cwd=folder / "copy")
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def site(wheel: Path) -> Path:
    """The packages' folder of an environment with the wheel in it, and our dependencies beside."""
    environment = wheel.parent / "env"
    base = Path(sys.base_prefix, "bin", f"python3.{sys.version_info.minor}")
    run(base, "-m", "venv", "--without-pip", environment, cwd=wheel.parent)
    pip = (sys.executable, "-m", "pip", "--python", environment / "bin/python", "install")
    run(*pip, "--quiet", "--no-deps", "--no-index", wheel, cwd=wheel.parent)
    site = next(environment.glob("lib/python*/site-packages"))
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return site


def test_what_is_in_the_wheel(wheel: Path) -> None:
    """Expect every module, Lua file, type stub and template, the kernel, the fabfile, no tests."""
    names = set(zipfile.ZipFile(wheel).namelist())
    expected = {"fabfile.py", "wc/counts/_kernel.abi3.so", f"{DATA}/inventory.toml"}
    for folder in FOLDERS:
        for pattern in ("*.py", "*.lua", "*.pyi"):
            expected |= {str(p.relative_to(PACKAGES)) for p in (PACKAGES / folder).rglob(pattern)}
    expected |= {f"{DATA}/supervisor/{p.name}" for p in (PACKAGES / "supervisor").iterdir()}
    assert expected <= names, sorted(expected - names)
    tops = {name.partition("/")[0] for name in names if ".dist-info" not in name}
    assert tops == {*FOLDERS, "fabfile.py", DATA.partition("/")[0]}


def test_everything_imports_where_it_is_installed(site: Path, tmp_path: Path) -> None:
    python = site.parents[2] / "bin/python"
    assert int(run(python, "-c", IMPORT_ALL, site, *FOLDERS, cwd=tmp_path)) > 100
    assert "start-job" in run(site.parents[2] / "bin/faultline", "-l", cwd=tmp_path)


@pytest.mark.cluster
def test_what_is_installed_provisions(site: Path, tmp_path: Path) -> None:
    """Given a cluster of one host. If the installed program provisions it, expect it to count."""
    program = (str(site.parents[2] / "bin/faultline"),)
    with netns_cluster(tmp_path, hosts=1, redis={"replication": "single"}) as cluster:
        installed = replace(cluster, checkout=tmp_path, program=program)
        installed.fab("provision")
        poll(lambda: installed.all_run("h1"))
        answer = installed.json("start-job", "--input", "/usr/share/common-licenses/GPL-3")
        assert answer["complete"]
        assert installed.json("verify")["verdict"] == "valid"
        assert installed.json("status")["hosts"]["h1"]["kernel"] == "c"
