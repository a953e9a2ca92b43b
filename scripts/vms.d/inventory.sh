# Sourced by scripts/vms: how fab and ssh reach the machines.
# shellcheck shell=bash

inventory=$project/inventory-vms.toml

proxy_command() { echo "${enter[*]} nc.openbsd %h %p"; }

write_inventory() {
    {
        cat <<TEXT
# Written by scripts/vms: three virtual machines on this one. docs/vms.md

[cluster]
name = "vms"
connection = "ssh"
subnet = "$subnet.0/24"
known_hosts = "$vms/known_hosts"

[workers]
per_host = 2
TEXT
        local name
        for name in "${names[@]}"; do
            cat <<TEXT

[[hosts]]
name = "$name"
address = "$(address_of "$name")"
user = "admin"
identity_file = "$vms/login"
proxy_command = "$(proxy_command)"
TEXT
        done
    } >"$inventory"
}

write_ssh_config() {
    local name
    for name in "${names[@]}"; do
        cat <<TEXT
Host $name
    HostName $(address_of "$name")
TEXT
    done >"$vms/ssh_config"
    cat >>"$vms/ssh_config" <<TEXT
Host *
    User admin
    IdentityFile $vms/login
    IdentitiesOnly yes
    UserKnownHostsFile $vms/known_hosts
    GlobalKnownHostsFile /dev/null
    StrictHostKeyChecking yes
    ServerAliveInterval 15
    ProxyCommand $(proxy_command)
TEXT
}
