#!/bin/bash
# SPDX-License-Identifier: MIT
#
# setup.sh -- installs the peers from Debian's packages, and says which.
#
# What is there is left alone; with all there it starts no other program and
# touches no network.  A peer that cannot be had is left out by run.sh, which
# says so: nothing here fails.  NO_INSTALL=1 only prints the list.
cd "$(dirname "$0")" || exit 1

have()
{
    command -v "$1" >/dev/null 2>&1
}

need() # need PEER TEST PACKAGES...: the packages unless the test holds
{
    local peer=$1 test=$2
    shift 2
    eval "$test" && return
    wanted+=("$peer: $*")
    packages+=("$*")
}

candidate() # is there such a package to install?
{
    apt-cache policy "$1" 2>/dev/null | grep -q 'Candidate: [0-9]'
}

# Bookworm's own Go is of 2022; a newer one is in its backports.
add_backports()
{
    local list=/etc/apt/sources.list.d/ambit-backports.list mirror
    grep -qs VERSION_CODENAME=bookworm /etc/os-release || return
    mirror=$(sed -n 's/^URIs: *//p' /etc/apt/sources.list.d/debian.sources \
        2>/dev/null | head -n 1)
    mirror=${mirror:-$(awk '$1 == "deb" { print $2; exit }' \
        /etc/apt/sources.list 2>/dev/null)}
    [ -n "$mirror" ] || return
    echo "peers: adding bookworm-backports for Go 1.23, in $list"
    echo "deb $mirror bookworm-backports main" | $as_root tee $list >/dev/null
}

# What installs Go here, in go_package.
choose_go()
{
    if [ -z "${NO_INSTALL:-}" ] && ! candidate golang-1.23-go; then
        add_backports
        $as_root apt-get update -qq
    fi
    go_package=golang-go
    if candidate golang-1.23-go; then
        go_package=golang-1.23-go
    fi
}

as_root=
[ "$(id -u)" -eq 0 ] || as_root=sudo
wanted=()
packages=()
have_go='have go || ls /usr/lib/go-*/bin/go >/dev/null 2>&1'
if ! eval "$have_go"; then
    choose_go
    need Go false "$go_package"
fi
need Tokio 'ls -d /usr/share/cargo/registry/tokio-util-0* >/dev/null 2>&1' \
    librust-tokio-dev librust-tokio-util-dev librust-libc-dev
if candidate cargo-web; then
    need Tokio 'have cargo' cargo-web
else
    need Tokio 'have cargo' cargo
fi
need Erlang 'have erl && have erlc' erlang-base
need libuv '[ -e /usr/include/uv.h ]' libuv1-dev
boost=1.81
candidate libboost-fiber1.81-dev || boost=
need Boost.Fiber '[ -e /usr/include/boost/fiber/all.hpp ]' \
    libboost-fiber$boost-dev libboost-context$boost-dev
need CAF '[ -e /usr/include/caf/all.hpp ]' libcaf-dev
need "C++ peers" 'have g++' g++

[ ${#packages[@]} -gt 0 ] || exit 0
printf 'The peers need:\n'
printf '  %s\n' "${wanted[@]}"
if [ -n "${NO_INSTALL:-}" ] || ! have apt-get; then
    echo "Not installed; what is missing is left out."
    exit 0
fi
if [ -n "$as_root" ] && ! have sudo; then
    echo "Become root to install them; what is missing is left out."
    exit 0
fi
for p in "${packages[@]}"; do
    echo "Installing with apt-get: $p"
    # shellcheck disable=SC2086 # lists of words on purpose
    if ! said=$($as_root env DEBIAN_FRONTEND=noninteractive apt-get install \
        -y -qq --no-install-recommends $p 2>&1); then
        tail -n 2 <<<"$said"
        echo "peers: could not install $p"
    fi
done
exit 0
