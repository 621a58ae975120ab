"""``python -m vla_attention.cli``."""

import sys

from vla_attention.cli import main

sys.exit(main())
