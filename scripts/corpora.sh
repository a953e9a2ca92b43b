# Sourced by quickstart, after setup.sh: texts where the workers' user may read them. $worker is that
# user, who is there once the hosts are.
# shellcheck shell=bash

# A home folder is often closed to others.
corpora=/var/lib/faultline-corpora

# Whether the workers' user may read all below a folder.
workers_may_read() {
    as_root runuser -u "$worker" -- sh -c \
        'cd "$1" && [ -z "$(find . ! -readable -print -quit)" ]' sh "$1" 2>/dev/null
}

# copy_privately FOLDER COPY: nobody but root and the workers' user may read the copy. It takes
# the place of an older copy of the same folder when it is whole.
copy_privately() {
    as_root rm -rf "$2.new"
    as_root mkdir -p "$corpora"
    as_root install -d -m 700 "$2.new"
    as_root cp -rT --preserve=timestamps "$1" "$2.new"
    as_root chown -R "root:$worker" "$2.new"
    as_root chmod -R u+rwX,g+rX,g-w,o-rwx "$2.new"
    as_root rm -rf "$2"
    as_root mv -T "$2.new" "$2"
}
