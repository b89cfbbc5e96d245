#!/bin/sh
# SPDX-License-Identifier: MIT
#
# deps.sh -- what must be on this machine before make can do its work.
#
#   deps.sh build|demo|test|valgrind|models|plots|coverage|bare|ci [MODE]
#
# Looks first, by testing for files: when nothing is missing it says nothing,
# starts no other program and touches no network.  What is missing it installs
# with apt-get, as root or through sudo; NO_INSTALL=1 prints the list instead.
# Elsewhere it prints what to install, and stops.
what=${1:-build}
mode=${2:-}
missing=
packages=

have_command()
{
    command -v "$1" >/dev/null 2>&1
}

# The usual folders first; only then ask the compiler, which takes longer.
have_header()
{
    [ -e "/usr/include/$1" ] || [ -e "/usr/local/include/$1" ] ||
        { have_command "$cc" && echo "#include <$1>" |
            $cc -E -x c - >/dev/null 2>&1; }
}

need() # need "words for a human" packages...
{
    missing="$missing  $1
"
    shift
    for p in "$@"; do
        case "$packages " in *" $p "*) ;; *) packages="$packages $p" ;; esac
    done
}

cc=${CC:-cc}
cc=${cc%% *}
if ! have_command "$cc"; then
    case ${cc##*/} in
    cc | gcc) need "a C compiler (gcc 12 or newer, or clang 14)" gcc libc6-dev ;;
    *) need "the compiler $cc" "${cc##*/}" ;;
    esac
fi
have_header stdio.h || need "the C library's headers" libc6-dev
have_command objcopy || need "binutils" binutils
have_header liburing.h || need "liburing 2.3 or newer, with headers" liburing-dev
have_header xxhash.h || need "xxHash, with headers" libxxhash-dev

case $what in
test | coverage | ci)
    if [ "$mode" != tsan ]; then
        have_header criterion/criterion.h ||
            need "Criterion 2.4, with headers" libcriterion-dev
    fi
    have_command redis-benchmark || need "redis-cli, redis-benchmark" redis-tools
    ;;
esac
case $what in
valgrind | ci)
    have_command valgrind || need "Valgrind" valgrind
    ;;
esac
case $what in
models | ci)
    have_command spin || need "spin" spin
    ;;
esac
[ "$what" != plots ] || have_command gnuplot || need "gnuplot" gnuplot-nox
[ "$what" != bare ] || have_command debootstrap ||
    need "debootstrap" debootstrap
[ "$what" != coverage ] || have_command gcovr || need "gcovr" gcovr
if [ "$what" = ci ]; then
    have_command g++ || need "a C++ compiler" g++
    have_command clang || need "clang" clang
    ls /usr/lib/llvm-*/lib/clang/*/lib/linux/libclang_rt.tsan* \
        >/dev/null 2>&1 || need "clang's sanitizers" libclang-rt-dev
    have_command aarch64-linux-gnu-gcc ||
        need "a cross compiler for aarch64" gcc-aarch64-linux-gnu \
            libc6-dev-arm64-cross
    have_command qemu-aarch64 || need "qemu for user programs" qemu-user
fi

for header in /usr/local/include/liburing.h /usr/include/liburing.h; do
    if [ -e $header ]; then
        # This function came with 2.3.
        grep -q io_uring_get_events $header && break
        echo "Ambit needs liburing 2.3 or newer; the one of $header is older."
        exit 1
    fi
done

[ -n "$packages" ] || exit 0

if [ -n "${NO_INSTALL:-}" ] || ! have_command apt-get; then
    printf 'To go on, Ambit needs:\n%s' "$missing"
    if have_command apt-get; then
        printf 'Install with: apt-get install%s\n' "$packages"
    fi
    exit 1
fi

if [ "$(id -u)" -eq 0 ]; then
    as_root=
elif have_command sudo; then
    as_root=sudo
else
    printf 'Ambit needs:\n%sBecome root, then: apt-get install%s\n' \
        "$missing" "$packages"
    exit 1
fi

install_packages()
{
    # shellcheck disable=SC2086 # lists of words on purpose
    $as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends $packages 2>&1
}

printf 'Ambit needs:\n%sInstalling with apt-get:%s\n' "$missing" "$packages"
# Fresh package lists only when the ones here do not do.
if said=$(install_packages); then
    exit 0
fi
$as_root apt-get update -qq
if ! said=$(install_packages); then
    printf '%s\napt-get could not install:%s\n' "$said" "$packages" >&2
    exit 1
fi
