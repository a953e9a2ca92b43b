"""Users of SSH hosts as people have them: not root, with sudo that warns and shells that print."""

from __future__ import annotations

import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: By shell: the file that it reads at every command, and what a person may have in there.
RC_FILES = {
    "bash": (".bashrc", "echo 'Welcome to the cluster'\necho careful >&2\nPATH=$HOME/bin:$PATH\n"),
    "tcsh": (".tcshrc", "echo 'Welcome to the cluster'\nset path = ($HOME/bin $path)\n"),
}
SUDO = """#!/bin/sh
echo 'sudo: unable to resolve host h1: Name or service not known' >&2
exec /usr/bin/sudo "$@"
"""


@contextmanager
def sudo_user(shell: str, public_key: str) -> Iterator[str]:
    """A user who may use sudo without a password and logs in with the key; removed after."""
    name = f"fl-{secrets.token_hex(4)}"
    home = Path(tempfile.mkdtemp(dir="/var/tmp"))  # pytest's own folders are root's
    rule = Path("/etc/sudoers.d") / name
    try:
        program = shutil.which(shell)
        assert program, f"{shell} is not installed"
        # "*": no password, where sshd would take useradd's own "!" for a locked account.
        options = ["--system", "--no-create-home", "--password", "*", "--shell", program]
        subprocess.run(["useradd", *options, "--home-dir", home, name], check=True)
        file, text = RC_FILES[shell]
        for path, content in (
            (home / file, text),
            (home / "bin/sudo", SUDO),
            (home / ".ssh/authorized_keys", public_key),
        ):
            path.parent.mkdir(exist_ok=True)
            path.write_text(content)
        (home / "bin/sudo").chmod(0o755)
        subprocess.run(["chown", "-R", f"{name}:", home], check=True)
        rule.touch(0o440)
        rule.write_text(f"{name} ALL=(ALL) NOPASSWD: ALL\n")
        yield name
    finally:
        rule.unlink(missing_ok=True)
        subprocess.run(["userdel", name], check=False, capture_output=True)
        shutil.rmtree(home)
