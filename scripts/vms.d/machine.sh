# Sourced by scripts/vms: one machine, which is a folder $vms/NAME with its disk, keys and log.
#
# disk.qcow2 has what differs from the image. own.tar is the second disk, which is unpacked at boot:
# the address, the SSH host key, and the public key that may log in. The host key is made here, so
# known_hosts is complete before the machine first starts.
# shellcheck shell=bash

probe_seconds=20
boot_seconds=600
# Emulated on a busy computer, systemd may need a minute to find a disk.
boot_options="net.ifnames=0 panic=1
    systemd.default_device_timeout_sec=$boot_seconds systemd.default_timeout_start_sec=$boot_seconds"

pid_of() { # NAME: its process, when it runs
    local pid
    pid=$(cat "$vms/$1/pid" 2>/dev/null) || return 1
    # The process id may belong to another process by now.
    grep -qsF "$vms/$1/disk.qcow2" "/proc/$pid/cmdline" && echo "$pid"
}

# Whether a kernel starts under KVM: with /dev/kvm a guest may hang all the same. Without a disk the
# kernel panics and reboots at once, and with -no-reboot that ends qemu.
kvm_works() {
    [ -w /dev/kvm ] || return 1
    # The inner shell keeps its message about a crash of qemu out of our output.
    bash -c '"$@" || exit 1' bash timeout "$probe_seconds" qemu-system-x86_64 -accel kvm \
        -cpu host -m 256 -display none -nodefaults -no-reboot -kernel "$image/vmlinuz" \
        -append "panic=-1 quiet" </dev/null >/dev/null 2>&1
}

choose_accelerator() { # sets $accelerator and $cpu
    local kept=$vms/accelerator
    [ "$accelerator" != auto ] || accelerator=$(cat "$kept" 2>/dev/null || echo auto)
    if [ "$accelerator" = auto ]; then
        say "Trying KVM (at most $probe_seconds s)"
        if kvm_works; then accelerator=kvm; else accelerator=tcg; fi
    fi
    echo "$accelerator" >"$kept"
    case "$accelerator" in
        kvm) cpu=host; echo "KVM: the processor's own virtualisation" ;;
        tcg) cpu=max,la57=off; echo "tcg: software emulation, some ten times slower than KVM" ;;
    esac
}

make_keys() {
    [ -e "$vms/login" ] || ssh-keygen -q -t ed25519 -N '' -C faultline-vms -f "$vms/login"
    local name
    for name in "${names[@]}"; do
        mkdir -p "$vms/$name"
        [ -e "$vms/$name/hostkey" ] ||
            ssh-keygen -q -t ed25519 -N '' -C "$name" -f "$vms/$name/hostkey"
    done
    for name in "${names[@]}"; do
        echo "$(address_of "$name") $(cut -d' ' -f1,2 "$vms/$name/hostkey.pub")"
    done >"$vms/known_hosts"
}

make_own_disk() { # NAME
    local folder=$vms/$1 own other
    own=$(mktemp -d)
    mkdir -p "$own/etc/ssh" "$own/etc/systemd/network" "$own/home/admin/.ssh"
    cp "$folder/hostkey" "$own/etc/ssh/ssh_host_ed25519_key"
    cp "$folder/hostkey.pub" "$own/etc/ssh/ssh_host_ed25519_key.pub"
    cp "$vms/login.pub" "$own/home/admin/.ssh/authorized_keys"
    echo "$1" >"$own/etc/hostname"
    printf '[Match]\nType=ether\n\n[Network]\nAddress=%s/24\nLinkLocalAddressing=no\n' \
        "$(address_of "$1")" >"$own/etc/systemd/network/50-cluster.network"
    {
        echo "127.0.0.1 localhost"
        for other in "${names[@]}"; do echo "$(address_of "$other") $other"; done
    } >"$own/etc/hosts"
    chmod -R u=rwX,go=rX "$own"
    chmod 600 "$own/etc/ssh/ssh_host_ed25519_key"
    # Owners by number: 1000 is the image's first user, admin.
    tar -C "$own" --owner=0 --group=0 -cf "$folder/own.tar" etc
    tar -C "$own" --owner=1000 --group=1000 -rf "$folder/own.tar" home/admin/.ssh
    chmod 600 "$folder/own.tar"
    rm -rf "$own"
}

start_machine() { # NAME
    local folder=$vms/$1 number=${1#v}
    [ -e "$folder/disk.qcow2" ] ||
        qemu-img create -q -f qcow2 -F raw -b "$image/root.ext4" "$folder/disk.qcow2"
    make_own_disk "$1"
    "${gently[@]}" "${enter[@]}" qemu-system-x86_64 -name "$1" -daemonize -pidfile "$folder/pid" \
        -accel "$accelerator" -cpu "$cpu" -smp "$cpus" -m "$memory" \
        -display none -nodefaults -no-reboot -serial "file:$folder/console.log" \
        -kernel "$image/vmlinuz" -initrd "$image/initrd" \
        -append "root=/dev/vda rw console=ttyS0 systemd.hostname=$1 ${boot_options//$'\n'/}" \
        -drive "file=$folder/disk.qcow2,format=qcow2,if=none,id=root,discard=unmap" \
        -drive "file=$folder/own.tar,format=raw,if=none,id=own,readonly=on" \
        -device virtio-blk-pci,drive=root -device virtio-blk-pci,drive=own,serial=own \
        -netdev "tap,id=net,ifname=$1,script=no,downscript=no" \
        -device "virtio-net-pci,netdev=net,mac=52:54:00:12:01:$(printf %02x "$number")" \
        -object rng-random,filename=/dev/urandom,id=rng -device virtio-rng-pci,rng=rng \
        2>"$folder/qemu.log" 9>&- || {
        cat "$folder/qemu.log" >&2
        die "$1: qemu did not start (above: why)"
    }
}

answers() { # NAME: whether a login works
    ssh -F "$vms/ssh_config" -o ConnectTimeout=5 "$1" true </dev/null 2>"$vms/$1/ssh.log"
}

wait_for_machine() { # NAME
    local begun=$SECONDS
    until answers "$1"; do
        pid_of "$1" >/dev/null ||
            die "$1 has ended: $(tail -n 3 "$vms/$1/console.log" "$vms/$1/qemu.log")"
        [ $((SECONDS - begun)) -lt "$boot_seconds" ] ||
            die "$1 does not answer after $boot_seconds s ($(tail -n 1 "$vms/$1/ssh.log"));" \
                "its console: $vms/$1/console.log"
        sleep 1
    done
    echo "$1 answers at $(address_of "$1")"
}

stop_machine() { # NAME: without a shutdown, for its disk is removed too
    local pid
    pid=$(pid_of "$1") && {
        kill "$pid" 2>/dev/null || true
        timeout 10 tail --pid="$pid" -f /dev/null || kill -9 "$pid" 2>/dev/null || true
    }
    rm -rf "${vms:?}/$1"
}
