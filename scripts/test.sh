#!/usr/bin/env bash
# Checks everything: style, types, and the whole test suite. Arguments go to pytest.
#
#   bash scripts/test.sh                      all of it
#   bash scripts/test.sh test/unit -k parse   style, types and the tests named
#
# Makes its environment itself (scripts/environment.sh).
set -euo pipefail

# shellcheck source=scripts/environment.sh
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"
cd "$ROOT"

# In a ROS 2 installation a tool may be missing; its check is then left out, and said so.
check() {
    local tool="$1"
    shift
    if "$PYTHON" -c "import $tool" 2>/dev/null; then
        "$PYTHON" -m "$tool" "$@"
    else
        say "$tool is not installed; its check is left out"
    fi
}

check ruff check .
check mypy
# Tests talk over DDS: a domain of their own keeps them from a running robot's and from each other's.
export ROS_DOMAIN_ID="${VLA_TEST_DOMAIN_ID:-$((50 + $$ % 50))}"
export ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST
if [[ "${ROS_DISTRO:-}" == humble ]]; then export ROS_LOCALHOST_ONLY=1; fi
exec "$PYTHON" -m pytest "$@"
