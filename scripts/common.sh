# Sourced by the other scripts: words to the person, and packages of the system.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
tools=$root/.tools

bold= red= plain=
if [ -t 2 ] && [ -z "${NO_COLOR:-}" ]; then
    bold=$'\033[1m' red=$'\033[1;31m' plain=$'\033[0m'
fi

# What is being done now, on stderr, so that a script's stdout stays its result.
say() { printf '%s==>%s %s\n' "$bold" "$plain" "$*" >&2; }

# die PROBLEM REMEDY…
die() {
    printf '%serror:%s %s\n' "$red" "$plain" "$1" >&2
    shift
    for line in "$@"; do printf '       %s\n' "$line" >&2; done
    exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

# as_root COMMAND…: fails where that would take a password, because nothing here asks a question.
as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    else
        have sudo && sudo -n true 2>/dev/null && sudo -n "$@"
    fi
}

# apt PACKAGE…: installs Debian or Ubuntu packages, removes none for them; fails where it cannot.
apt() {
    have apt-get || return 1
    local options=(-qq -y --no-install-recommends --no-remove -o Dpkg::Use-Pty=0)
    say "installing Debian packages: $*"
    if ! as_root env DEBIAN_FRONTEND=noninteractive apt-get install "${options[@]}" "$@" </dev/null >"$tools/apt.log" 2>&1; then
        # The lists may be missing (a fresh image) or old.
        as_root apt-get update -qq </dev/null >>"$tools/apt.log" 2>&1 || return 1
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install "${options[@]}" "$@" </dev/null >>"$tools/apt.log" 2>&1
    fi
}

# need COMMAND PACKAGE…: the command, installed from those packages if it is missing.
need() {
    local command=$1
    shift
    have "$command" || apt "$@" || die "$command is missing, and installing it did not work." \
        "Install it with your system's package manager (Debian: apt-get install $*)." \
        "What was tried: $tools/apt.log"
}

# version_at_least HAVE WANT
version_at_least() { [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1)" = "$2" ]; }

mkdir -p "$tools"
