#!/usr/bin/env bash
# Install the system packages that Qt needs to open a window, where they are missing and can be
# installed (Debian and its relatives, as root or through sudo without a password).
# Always exits 0: a machine without them can still do everything that needs no window.
set -u

packages=(
    xvfb xauth libxcb-cursor0 libxkbcommon-x11-0 libxcb-icccm4 libxcb-image0 libxcb-keysyms1
    libxcb-randr0 libxcb-render-util0 libxcb-xinerama0 libxcb-shape0 libdbus-1-3 libegl1 libgl1
)
if ! python3 -c "import ensurepip" 2>/dev/null; then
    packages+=(python3-venv)
fi

command -v apt-get >/dev/null && command -v dpkg-query >/dev/null || exit 0

missing=()
for package in "${packages[@]}"; do
    status=$(dpkg-query -W -f='${Status}' "$package" 2>/dev/null || true)
    [ "$status" = "install ok installed" ] || missing+=("$package")
done
[ "${#missing[@]}" -eq 0 ] && exit 0

if [ "$(id -u)" -eq 0 ]; then
    as_root=()
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    as_root=(sudo -n)
else
    echo "system packages are missing, and this user cannot install them: ${missing[*]}" >&2
    exit 0
fi

export DEBIAN_FRONTEND=noninteractive
echo "installing system packages: ${missing[*]}"
"${as_root[@]}" apt-get update -qq </dev/null
if ! "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" </dev/null >/dev/null; then
    # names differ between releases: install what there is, one by one
    for package in "${missing[@]}"; do
        "${as_root[@]}" apt-get install -y -qq --no-install-recommends "$package" </dev/null >/dev/null ||
            echo "could not install $package" >&2
    done
fi
exit 0
