# Sourced by the other scripts: system packages and the virtual environment.
# shellcheck shell=bash

# The caller's place, then ours.
caller_folder=$PWD
project=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$project" || exit 1

say() { printf '\n==> %s\n' "$*"; }
die() { printf '%s\n' "$*" >&2; exit 2; }

# Run a command as root: directly, or through sudo, which may ask for a password.
as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

require_debian() {
    command -v apt-get >/dev/null ||
        die "This needs apt-get (Debian 12 or Ubuntu 24.04, or later). On other systems install" \
            "Redis 7, Python 3.11 and iptables by hand; then see docs/guide.md."
    [ "$(id -u)" = 0 ] || command -v sudo >/dev/null ||
        die "Run this as root, or install sudo: network namespaces need root."
}

# A stock Redis or sshd would be started by its package. policy-rc.d is the packages' own way to
# be told not to; one of somebody else is left as it is. Services that already run stay. Ours is
# marked, so that what a killed run left is known as ours by the next one, and by `fab provision`
# and `fab destroy`.
policy=/usr/sbin/policy-rc.d
keep_services_down() {
    [ ! -e "$policy" ] || grep -qs faultline "$policy" || return 0
    trap let_services_up EXIT # bash comes by here on Ctrl-C too
    printf '#!/bin/sh\n# faultline: no service starts meanwhile\nexit 101\n' |
        as_root tee "$policy" >/dev/null
    as_root chmod 755 "$policy"
}
let_services_up() {
    ! grep -qs faultline "$policy" || as_root rm -f "$policy"
    trap - EXIT
}

# install_packages NAME...: only what is missing, saying so first.
install_packages() {
    local missing=() name
    for name in "$@"; do
        dpkg-query -W -f '${Status}' "$name" 2>/dev/null | grep -q 'ok installed' || missing+=("$name")
    done
    [ "${#missing[@]}" = 0 ] && return
    say "Installing Debian packages: ${missing[*]}"
    keep_services_down
    local code=0 log
    log=$(mktemp -t faultline-apt-XXXXXX)
    as_root apt-get update -q >"$log" 2>&1 || true # an old index may still do
    as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -q --no-install-recommends "${missing[@]}" \
        >>"$log" 2>&1 || code=$?
    let_services_up
    [ "$code" = 0 ] || {
        tail -n 20 "$log" >&2
        die "apt-get failed (the whole log: $log)"
    }
    rm -f "$log"
    # Debian enables its stock Redis for the next boot; ours is the only one wanted. Only where
    # we have just installed it: a Redis that was here before stays as it was.
    case " ${missing[*]} " in *" redis-server "*)
        [ -d /run/systemd/system ] && as_root systemctl disable --quiet redis-server || true ;;
    esac
}

# The system's Python: the workers' user must be able to run it, which a Python under
# somebody's home folder does not allow.
find_python() {
    local candidate
    for candidate in /usr/bin/python3 /usr/bin/python3.1[1-9]; do
        if [ -x "$candidate" ] &&
            "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    die "Python 3.11 or later is needed; this system's is $(/usr/bin/python3 --version 2>&1)." \
        "Debian 12 and Ubuntu 24.04 have it."
}

# make_environment GROUP...: .venv with the project's dependencies and these optional groups.
make_environment() {
    local python stamp group groups missing=no
    python=$(find_python)
    stamp="$("$python" --version) $(cksum <pyproject.toml)"
    for group in "$@"; do
        [ "$(cat ".venv/made-$group" 2>/dev/null)" = "$stamp" ] || missing=yes
    done
    [ "$missing" = yes ] || return 0
    say "Installing Python packages into $project/.venv (half a minute)"
    [ -x .venv/bin/python ] || "$python" -m venv .venv
    groups=$(IFS=,; echo "$*")
    # The project itself is not installed: it runs from this folder.
    .venv/bin/python - "$groups" <<'PY' >.venv/requirements.txt
import sys, tomllib
project = tomllib.load(open("pyproject.toml", "rb"))["project"]
lines = list(project["dependencies"])
for group in sys.argv[1].split(","):
    lines += project["optional-dependencies"][group]
print("\n".join(lines))
PY
    .venv/bin/pip install --quiet --disable-pip-version-check -r .venv/requirements.txt
    for group in "$@"; do echo "$stamp" >".venv/made-$group"; done
}
