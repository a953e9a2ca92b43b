"""known_hosts is read as OpenSSH reads it, and what is refused is refused by name."""

from __future__ import annotations

import base64
import hashlib
import hmac
from pathlib import Path

import paramiko
import pytest

from provision.connect.host_keys import HostKeys, Refused
from provision.connect.ssh_config import Target

SHOWN = paramiko.ECDSAKey.generate()
OTHER = paramiko.ECDSAKey.generate()
TYPE, KEY = SHOWN.get_name(), SHOWN.get_base64()
OTHER_KEY = f"{TYPE} {OTHER.get_base64()}"
RSA = f"ssh-rsa {paramiko.RSAKey.generate(2048).get_base64()}"
SALT = b"0123456789abcdefghij"


def hashed(name: str) -> str:
    digest = hmac.digest(SALT, name.encode(), hashlib.sha1)
    return "|1|" + "|".join(base64.b64encode(part).decode() for part in (SALT, digest))


def check(folder: Path, text: str, port: int = 22, name: str = "") -> None:
    path = folder / "known_hosts"
    path.write_bytes(text.encode("latin-1"))
    plain = "h.example" if port == 22 else f"[h.example]:{port}"
    target = Target("h.example", port, "root", name or plain, (), True, "")
    HostKeys(target, path).missing_host_key(paramiko.SSHClient(), "", SHOWN)


@pytest.mark.parametrize(
    "text",
    [
        f"h.example {TYPE} {KEY}",
        f"other,H.Example {TYPE} {KEY} a comment",
        f"*.example,!x.example {TYPE} {KEY}",
        f"{hashed('h.example')} {TYPE} {KEY}",
        f"@cert-authority *.example {OTHER_KEY}\nh.example {TYPE} {KEY}",
        f"@revoked * {OTHER_KEY}\nh.example {TYPE} {KEY}",
        f"@unheard h.example\nh.example\nother {TYPE} AAAA\n|1|x|y z\nh.example {TYPE} {KEY}",
        f"# caf\xe9\n\nh.example {TYPE} {KEY[:-8]}\nh.example {TYPE} {KEY}",
        f"h.example {OTHER_KEY}\nh.example {TYPE} {KEY}",
        f"h.example {RSA}\nh.example {TYPE} {KEY}",
    ],
)
def test_a_known_key_is_taken(tmp_path: Path, text: str) -> None:
    """Given the host's key among lines of any kind, or other keys of it. Expect it to be taken."""
    check(tmp_path, text)


def test_the_name_of_a_port_and_of_an_alias(tmp_path: Path) -> None:
    check(tmp_path, f"[h.example]:2222 {TYPE} {KEY}", port=2222)
    check(tmp_path, f"h.example {TYPE} {KEY}", port=2222)
    check(tmp_path, f"alias {TYPE} {KEY}", name="alias")
    with pytest.raises(Refused, match=r"not in .*HostKeyAlias=alias"):
        check(tmp_path, f"h.example {TYPE} {KEY}", name="alias")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not in .* ssh-keyscan -p 22 h.example"),
        (f"h.example {RSA}", "is not in"),
        (f"*.example,!h.example {TYPE} {KEY}", "is not in"),
        (f"hXexample {TYPE} {KEY}", "is not in"),
        (f"\nh.example {TYPE} {KEY[:-8]}", r"is not in .*\(line 2 is about it, but is not a whole"),
        (f"@cert-authority *.example {TYPE} {KEY}", r"is not in .*\(line 1 trusts .* certificate"),
        (f"h.example {OTHER_KEY}", "CHANGED: .* ssh-keygen -R h.example"),
        (f"h.example {TYPE} {KEY}\n@revoked * {TYPE} {KEY}", "revoked by line 2"),
    ],
)
def test_any_other_key_is_refused_by_name(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(Refused, match=message) as refused:
        check(tmp_path, text)
    assert SHOWN.fingerprint in str(refused.value)
