# Sourced by scripts/vms: the machines' network, a bridge in a network namespace of its own.
#
# No address, rule or route of this computer changes, and the machines cannot reach any other
# network. Commands enter by `nsenter`.
# shellcheck shell=bash

subnet=198.18.1
bridge=bridge

# Machines in another folder ($FAULTLINE_VMS) get a network of their own.
netns=faultline-vms
[ "$vms" = "$default_vms" ] || netns+=-$(echo "$vms" | cksum | cut -d' ' -f1)
enter=(nsenter "--net=/run/netns/$netns")

address_of() { echo "$subnet.${1#v}"; }

network_up() {
    if [ ! -e "/run/netns/$netns" ]; then
        say "Making the network: a bridge in the namespace $netns"
        ip netns add "$netns"
    fi
    # Each step is idempotent, so that a run completes what an interrupted one began.
    inside link set lo up
    has_link "$bridge" || inside link add "$bridge" type bridge forward_delay 0
    inside address replace "$subnet.254/24" dev "$bridge"
    inside link set "$bridge" up
    local name
    for name in "${names[@]}"; do
        has_link "$name" || inside tuntap add dev "$name" mode tap
        inside link set "$name" master "$bridge" up
    done
}

network_down() {
    [ ! -e "/run/netns/$netns" ] || ip netns del "$netns"
}

inside() { ip -netns "$netns" "$@"; }
has_link() { inside link show dev "$1" >/dev/null 2>&1; }
