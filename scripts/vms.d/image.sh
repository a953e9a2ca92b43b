# Sourced by scripts/vms: the disk image all machines start from, built once and kept.
#
# debootstrap fills a folder, and mkfs.ext4 -d makes a file system of it. The kernel is copied
# beside it, so neither a loop device nor a boot loader is needed. What differs from machine to
# machine (host keys, address) is on a second disk, a plain tar archive: see machine.sh.
# shellcheck shell=bash

mirror=${FAULTLINE_VMS_MIRROR:-http://deb.debian.org/debian}
image=$vms/image
image_size=4G # sparse: takes what is in it

# Machines cannot reach a package archive, so what provisioning would install is in the image.
image_packages=(
    linux-image-cloud-amd64 initramfs-tools systemd systemd-sysv libpam-systemd dbus udev kmod
    openssh-server sudo python3 redis-server redis-tools iptables iproute2 iputils-ping
    procps psmisc less ca-certificates bible-kjv bible-kjv-text perl-doc
)

# A changed recipe makes a new image.
image_stamp() { cat "$project/scripts/vms.d/image.sh" <(echo "$mirror") | cksum | cut -d' ' -f1; }

make_image() {
    [ "$(cat "$image/made" 2>/dev/null)" = "$(image_stamp)" ] && return
    if compgen -G "$vms/v*/disk.qcow2" >/dev/null && [ -e "$image/made" ]; then
        say "The image's recipe has changed: the machines keep the old image until: scripts/vms down"
        return
    fi
    say "Building the machines' image in $image (once: three minutes or so, 500 MB to download)"
    rm -rf "$image"
    mkdir -p "$image/root"
    local log=$vms/image.log
    build_image >"$log" 2>&1 || {
        tail -n 15 "$log" >&2
        die "The image could not be built (the whole log: $log; another mirror:" \
            "FAULTLINE_VMS_MIRROR=http://...)"
    }
    image_stamp >"$image/made"
}

build_image() (
    # The caller's `||` switches `set -e` off here, so each step has its own `|| exit 1`.
    root=$image/root
    include=$(IFS=,; echo "${image_packages[*]}")
    "${gently[@]}" debootstrap --variant=minbase --include="$include" bookworm \
        "$root" "$mirror" || exit 1
    configure_image "$root" || exit 1
    "${gently[@]}" chroot "$root" update-initramfs -u || exit 1
    cp "$root"/boot/vmlinuz-* "$image/vmlinuz" && cp "$root"/boot/initrd.img-* "$image/initrd" ||
        exit 1
    rm -rf "${root:?}"/{var/cache/apt/archives/*.deb,var/lib/apt/lists/*,boot/*}
    truncate -s "$image_size" "$image/root.ext4" || exit 1
    "${gently[@]}" mkfs.ext4 -q -F -L root -d "$root" "$image/root.ext4" || exit 1
    rm -rf "$root"
)

configure_image() {
    local root=$1
    # An initrd with only the modules that find the root disk: under emulation each megabyte
    # takes time.
    echo 'MODULES=list' >"$root/etc/initramfs-tools/conf.d/machines"
    printf '%s\n' virtio_pci virtio_blk ext4 >>"$root/etc/initramfs-tools/modules"
    echo '/dev/vda / ext4 defaults,noatime 0 1' >"$root/etc/fstab"

    # Host keys are made for each machine, and provisioning starts Redis.
    rm -f "$root"/etc/ssh/ssh_host_*
    local unit
    for unit in redis-server apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer \
        e2scrub_all.timer fstrim.timer getty@tty1; do
        case "$unit" in *.timer) ;; *) unit=$unit.service ;; esac
        ln -sf /dev/null "$root/etc/systemd/system/$unit"
    done
    chroot "$root" systemctl enable --quiet systemd-networkd ssh || return 1

    # A user who may use sudo, as on rented machines.
    chroot "$root" useradd --create-home --shell /bin/bash admin || return 1
    echo 'admin ALL=(ALL) NOPASSWD: ALL' >"$root/etc/sudoers.d/admin"
    chmod 440 "$root/etc/sudoers.d/admin"
    # The user's service manager keeps running: under emulation its start takes seconds.
    mkdir -p "$root/var/lib/systemd/linger"
    touch "$root/var/lib/systemd/linger/admin"

    # Unpacks the second disk, a tar archive of this machine's own files.
    cat >"$root/etc/systemd/system/own-files.service" <<'UNIT'
[Unit]
Description=Files of this machine's own
DefaultDependencies=no
Requires=dev-disk-by\x2did-virtio\x2down.device
After=dev-disk-by\x2did-virtio\x2down.device systemd-remount-fs.service
Before=systemd-networkd.service ssh.service sysinit.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=tar -C / -xpf /dev/disk/by-id/virtio-own

[Install]
WantedBy=sysinit.target
UNIT
    chroot "$root" systemctl enable --quiet own-files || return 1

    # Real text to count.
    mkdir -p "$root/srv/text"
    chroot "$root" bible -f gen1:1-rev22:21 >"$root/srv/text/bible.txt" 2>/dev/null
    cp "$root"/usr/share/perl/[0-9]*.*.*/pod/*.pod "$root/srv/text/" || return 1
    [ -s "$root/srv/text/bible.txt" ]
}
