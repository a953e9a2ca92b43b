"""What `destroy` runs on a host, step by step, to remove what provision made there.

Each script prints a line that begins with CHANGED for each thing it removed, and exits with another
code than 0, and a reason on standard error, if anything is still there.
"""

from __future__ import annotations

from shlex import quote

from provision.host import supervision
from provision.host.fact_commands import OURS
from provision.host.layout import MARK, unit_name, unit_path, user_comment
from provision.inventory.model import Host, Inventory

CHANGED = "removed: "
NOT_OURS = "has no {mark} in it: provision did not make it, and it is left as it is"
REQUIRE_OURS = """
{ours}
if [ -e {folder} ] && ! ours {folder}; then echo '{folder} {not_ours}' >&2; exit 1; fi
"""
# Faults end first, with their timers: what they changed may be outside the folder. Without its
# record nobody would know how to end one, so the folder stays until all have ended.
END_FAULTS = """
records=$(ls {folder}/run/faults/*.json 2>/dev/null)
[ -n "$records" ] || exit 0
if [ -x {folder}/env/bin/python ]; then
    {end_faults} >/dev/null && exit 0  # a timer whose record is gone ends by itself
else
    echo "{folder}/env is gone, whose program ends faults" >&2
fi
echo "each record names, after heal, the command that ends its fault:" $records >&2
exit 1
"""
# An environment that never got as far as having the module has made no groups.
GROUPS = """
if {folder}/env/bin/python -I -c 'import cgroups' 2>/dev/null; then
    groups=$({folder}/env/bin/python -I -m cgroups remove {cluster}/{host}) || exit 1
    for group in $groups; do echo "{changed}$group"; done
fi
"""
UNIT = """
set -e
unit={unit_path}
if [ -e $unit ] && grep -qF {folder}/ $unit; then
    systemctl disable --now --quiet {unit}
    rm -f $unit
    systemctl daemon-reload
    echo '{changed}{unit}'
fi
"""
# The mark of a folder goes last, so that a folder that was half removed is still known as ours.
FOLDERS = """
set -e
{ours}
remove() {{
    [ -e $1 ] || return 0
    if ! ours $1; then echo "$1 {not_ours}" >&2; exit 1; fi
    find $1 -mindepth 1 -maxdepth 1 ! -name {mark} -exec rm -rf {{}} +
    rm -f $1/{mark}
    rmdir $1
    echo "{changed}$1"
}}
remove {folder}
if [ -e {cluster_folder} ]; then
    others=$(find {cluster_folder} -mindepth 1 -maxdepth 1 ! -name env ! -name {mark})
    [ -z "$others" ] || exit 0
fi
remove {cluster_folder}
for user in {users}; do
    if getent passwd $user | cut -d: -f5 | grep -qxF {comment}; then
        userdel $user
        echo "{changed}user $user"
    fi
done
# What kept services from starting while packages were installed, if that was killed.
if grep -qs faultline /usr/sbin/policy-rc.d; then
    rm -f /usr/sbin/policy-rc.d
    echo '{changed}/usr/sbin/policy-rc.d'
fi
# The folder of all clusters is ours only with our mark in it, and empty but for that.
if [ -e {base}/{mark} ] && [ "$(ls -A {base})" = {mark} ]; then
    rm {base}/{mark}
    rmdir {base}
    echo '{changed}{base}'
fi
"""


def values(inventory: Inventory, host: Host) -> dict[str, str]:
    """What the scripts are filled with, by `format`."""
    cluster = inventory.cluster.name
    users = [inventory.redis_user]
    if not inventory.workers.user:
        users.append(inventory.worker_user)
    return {
        "cluster": cluster,
        "host": host.name,
        "folder": inventory.folder(host),
        "end_faults": supervision.faults_program(inventory.folder(host), "heal", "--all"),
        "cluster_folder": inventory.cluster_folder(host),
        "base": host.data,
        "users": " ".join(users),
        "comment": quote(user_comment(cluster)),
        "unit": unit_name(cluster),
        "unit_path": unit_path(cluster),
        "changed": CHANGED,
        "mark": MARK,
        "not_ours": NOT_OURS.format(mark=MARK),
        "ours": OURS,
    }
