#!/usr/bin/env bash
# Shows the stack at work: real nodes, real DDS, a real photograph, then a moving scene with depth.
#
#   bash scripts/demo.sh              both, with pictures in out/demo; ends by itself
#   bash scripts/demo.sh --keep       the same, and the nodes go on until Ctrl-C (RViz opens where there is one)
#   bash scripts/demo.sh --ask TEXT   gives the nodes of a running demo another instruction
#   bash scripts/demo.sh --help       all of it
#
# Makes its environment itself (scripts/environment.sh).
set -euo pipefail

# shellcheck source=scripts/environment.sh
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"
cd "$ROOT"
exec "$PYTHON" scripts/demo.py "$@"
