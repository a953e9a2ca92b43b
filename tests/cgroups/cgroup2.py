"""A directory with the rules of cgroup v2, as far as we depend on them.

It holds V2 to the order the kernel demands: hand controllers down first, no processes in inner
groups, leaf first when removing. It limits nothing; that a limit has its effect is shown on real
kernels, here under v1 and in the virtual machines under v2.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

from cgroups.v2 import V2

FILES = ("cgroup.procs", "cgroup.controllers", "cgroup.subtree_control")


class Cgroup2(V2):
    """V2 whose file operations go through the rules. `refused` lists what the rules forbade."""

    def __init__(self, root: Path, controllers: str = "cpu memory") -> None:
        super().__init__(root)
        self.refused: list[str] = []
        self._fill(root, controllers)

    def _fill(self, path: Path, controllers: str) -> None:
        for name, content in zip(FILES, ("", controllers, ""), strict=True):
            (path / name).write_text(content)
        if "cpu" in controllers and path != self.root:
            (path / "cpu.max").write_text("max 100000\n")

    def _refuse(self, number: int, path: Path) -> OSError:
        self.refused.append(f"{path.relative_to(self.root)}: {errno.errorcode[number]}")
        return OSError(number, os.strerror(number), str(path))

    def _mkdir(self, path: Path) -> None:
        if path.exists():
            return
        path.mkdir()
        self._fill(path, (path.parent / "cgroup.subtree_control").read_text())

    def _invalid(self, group: Path) -> bool:
        """Whether a group above has processes and gives cpu: it is threaded, and we cannot be."""
        above = [one for one in group.parents if self.root in one.parents]
        return any(
            (one / "cgroup.procs").read_text() and (one / "cgroup.subtree_control").read_text()
            for one in above
        )

    def _rmdir(self, path: Path) -> None:
        if not path.exists():
            raise FileNotFoundError(path)
        if (path / "cgroup.procs").read_text() or any(one.is_dir() for one in path.iterdir()):
            raise self._refuse(errno.EBUSY, path)
        for one in path.iterdir():
            one.unlink()
        path.rmdir()

    def _put(self, path: Path, text: str) -> None:
        group, inner = path.parent, path.parent != self.root
        if not path.exists():
            raise self._refuse(errno.ENOENT, path)
        if path.name == "cgroup.subtree_control":
            name, given = text.lstrip("+-"), path.read_text().split()
            if name not in (group / "cgroup.controllers").read_text().split():
                raise self._refuse(errno.ENOENT, path)
            if self._invalid(group):
                raise self._refuse(errno.EOPNOTSUPP, path)
            left = [one for one in given if one != name]
            path.write_text(" ".join([*left, name] if text[0] == "+" else left))
            for child in filter(Path.is_dir, group.iterdir()):
                (child / "cgroup.controllers").write_text(path.read_text())
                (child / "cpu.max").write_text("max 100000\n")
        elif path.name == "cgroup.procs":
            if self._invalid(group):
                raise self._refuse(errno.EOPNOTSUPP, path)
            if inner and (group / "cgroup.subtree_control").read_text():
                raise self._refuse(errno.EBUSY, path)
            for procs in self.root.rglob("cgroup.procs"):
                left = [pid for pid in procs.read_text().split() if pid != text]
                procs.write_text("\n".join(left))
            path.write_text("\n".join([*path.read_text().split(), text]))
        else:
            path.write_text(text)
