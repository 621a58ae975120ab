# shellcheck shell=bash
# To be sourced. Afterwards `$PYTHON` runs a Python in which rclpy, vision_msgs and this package import.
#
# In a sourced ROS 2 installation that is the installation's own Python. Elsewhere it is the one of a virtual
# environment in the checkout, made on the first call and remade whenever what it is made from changes.
#
#   VLA_PYTHON   the Python that the virtual environment is made with (default: the first of 3.10 to 3.13 found)
#   VLA_VENV     where it lies (default: .venv in the checkout)

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
VLA_VENV="${VLA_VENV:-$ROOT/.venv}"
# the scripts go on in another folder
[[ "$VLA_VENV" == /* ]] || VLA_VENV="$PWD/$VLA_VENV"

say() { printf '%s\n' "[environment] $*" >&2; }

fail() { say "$*"; exit 1; }

# Images go through shared memory, unless the user chose how they go.
use_fastdds_profile() {
    if [[ -z "${FASTRTPS_DEFAULT_PROFILES_FILE:-}${FASTDDS_DEFAULT_PROFILES_FILE:-}${FASTDDS_BUILTIN_TRANSPORTS:-}" ]]
    then
        export FASTRTPS_DEFAULT_PROFILES_FILE="$ROOT/config/fastdds.xml"
        export FASTDDS_DEFAULT_PROFILES_FILE="$ROOT/config/fastdds.xml"
    fi
}

# The ROS 2 installation of this shell, with the checkout's code before an installed version of it.
use_ros() {
    say "using the sourced ROS 2 $ROS_DISTRO ($(command -v python3)); no virtual environment is made"
    local missing
    missing="$(python3 - <<'EOF'
import importlib.util
names = ['vision_msgs', 'numpy', 'cv2', 'torch', 'safetensors', 'tqdm', 'yaml', 'PIL', 'skimage']
print(' '.join(name for name in names if importlib.util.find_spec(name) is None))
EOF
    )"
    if [[ -n "$missing" ]]; then
        fail "Python modules missing: $missing; install: rosdep install --from-paths '$ROOT' --ignore-src -y" \
             "(what rosdep does not know: python3 -m pip install MODULE)"
    fi
    PYTHON=python3
    export PYTHONPATH="$ROOT/src${PYTHONPATH:+:$PYTHONPATH}"
}

# Prints the first Python that the wheels of ROS 2 Jazzy exist for.
find_python() {
    local candidate
    for candidate in ${VLA_PYTHON:-python3 python3.12 python3.11 python3.10 python3.13}; do
        if "$candidate" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    return 1
}

# Prints the Debian packages of the tools that are missing on this machine.
missing_tools() {
    local python="$1" version
    command -v cmake >/dev/null || echo cmake
    command -v c++ >/dev/null || echo g++
    command -v make >/dev/null || echo make
    if [[ -n "$python" ]]; then
        version="$("$python" -c 'import sys; print("python%d.%d" % sys.version_info[:2])')"
        "$python" -c 'import ensurepip, venv' 2>/dev/null || echo "$version-venv"
        "$python" -c 'import pathlib, sys, sysconfig
sys.exit(not pathlib.Path(sysconfig.get_path("include"), "Python.h").exists())' || echo "$version-dev"
    else
        echo python3 python3-venv python3-dev
    fi
}

# Installs the missing tools as root with apt; says the command that does so where this user cannot.
require_tools() {
    local python packages
    python="$(find_python || true)"
    read -r -d '' -a packages <<<"$(missing_tools "$python")" || true
    if (( ${#packages[@]} )); then
        if [[ "$(id -u)" == 0 ]] && command -v apt-get >/dev/null; then
            say "installing ${packages[*]} with apt-get"
            DEBIAN_FRONTEND=noninteractive apt-get update -qq >&2 </dev/null \
                && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${packages[@]}" >&2 </dev/null \
                || fail "apt-get could not install: ${packages[*]}"
        else
            fail "missing; install with: sudo apt-get install -y ${packages[*]}"
        fi
    fi
    find_python || fail "no Python from 3.10 to 3.13 (${VLA_PYTHON:-python3}); set VLA_PYTHON to one, e.g. from pyenv or uv"
}

# What the environment is made from, as one hash.
fingerprint() {
    {
        echo "$ROOT $VLA_VENV"
        cat "$ROOT"/scripts/requirements*.txt "$ROOT/scripts/build_vision_msgs.py" "$ROOT/scripts/environment.sh" \
            "$ROOT/setup.py" "$ROOT/setup.cfg"
        find "$ROOT/interfaces" -type f ! -name README.md -print0 | sort -z | xargs -0 cat
    } | sha256sum | cut -d ' ' -f 1
}

# torch without CUDA, which nothing here needs and which is ten times as large, where a source of it is found.
install_torch() {
    local torch
    torch="$(grep -oE '^torch==[^ ]+' "$ROOT/scripts/requirements.txt")"
    "$PYTHON" -c "from importlib.metadata import version as v; import sys; sys.exit(v('torch').split('+')[0] != '${torch#*==}')" \
        2>/dev/null && return
    "$PYTHON" -m pip install -qq --no-compile --no-deps "$torch+cpu" 2>/dev/null \
        || "$PYTHON" -m pip install -qq --no-compile --no-deps --retries 1 --timeout 10 \
               --index-url https://download.pytorch.org/whl/cpu "$torch" 2>/dev/null \
        || say "no CPU-only $torch found; taking the default build"
}

make_venv() {
    local python start=$SECONDS
    python="$(require_tools)" || exit 1
    if ! "$VLA_VENV/bin/python" -c 'import pip' 2>/dev/null; then
        say "making $VLA_VENV with $("$python" --version)"
        "$python" -m venv "$VLA_VENV" >&2 || fail "no virtual environment could be made in $VLA_VENV"
    fi
    say "installing what scripts/requirements*.txt name"
    export PIP_DISABLE_PIP_VERSION_CHECK=1
    install_torch
    # Python compiles each module when it is first imported: compiling all of torch now would cost half a minute
    "$PYTHON" -m pip install -qq --no-compile -r "$ROOT/scripts/requirements.txt" \
        -r "$ROOT/scripts/requirements-dev.txt" -r "$ROOT/scripts/requirements-hub.txt" >&2 || fail "pip could not install the requirements (see above)"
    say "building vision_msgs"
    "$PYTHON" "$ROOT/scripts/build_vision_msgs.py" || exit 1
    "$PYTHON" -m pip install -qq --no-deps --no-build-isolation --editable "$ROOT" >&2 \
        || fail "pip could not install the package itself (see above)"
    say "ready after $((SECONDS - start)) s"
}

# Whoever wants no bytecode beside the sources would have every process compile all that it imports, which for
# torch takes as long again as importing it: it is kept in the virtual environment instead.
keep_bytecode() {
    if [[ -n "${PYTHONDONTWRITEBYTECODE:-}" ]]; then
        unset PYTHONDONTWRITEBYTECODE
        export PYTHONPYCACHEPREFIX="${PYTHONPYCACHEPREFIX:-$VLA_VENV/bytecode}"
    fi
}

use_venv() {
    PYTHON="$VLA_VENV/bin/python"
    mkdir -p "$VLA_VENV"
    # two scripts started at once must not both build
    exec 9>"$VLA_VENV/.lock"
    if command -v flock >/dev/null; then flock 9; fi
    local wanted
    wanted="$(fingerprint)"
    if [[ "$(cat "$VLA_VENV/.made-from" 2>/dev/null)" != "$wanted" ]]; then
        make_venv
        echo "$wanted" >"$VLA_VENV/.made-from"
    fi
    exec 9>&-
    keep_bytecode
    PATH="$VLA_VENV/bin:$PATH"
}

if [[ -n "${ROS_DISTRO:-}" ]] && python3 -c 'import rclpy' 2>/dev/null; then
    use_ros
else
    if [[ -n "${ROS_DISTRO:-}" ]]; then
        say "ROS_DISTRO is $ROS_DISTRO but rclpy does not import: source its setup.bash to use it; using $VLA_VENV"
    fi
    use_venv
fi
use_fastdds_profile
export PYTHON PATH
