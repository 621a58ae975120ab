"""The whole stack in one process and one executor; images and results pass between nodes as they are."""

from __future__ import annotations

import sys
from collections.abc import Callable

from vla_attention.ros.attention_node import AttentionNode
from vla_attention.ros.focus_node import FocusNode
from vla_attention.ros.instruction_node import InstructionNode
from vla_attention.ros.moments_node import MomentsNode
from vla_attention.ros.overlay_node import OverlayNode
from vla_attention.ros.perception_node import PerceptionNode, run
from vla_attention.ros.topics import Topics

NODES: tuple[Callable[..., PerceptionNode], ...] = (
    InstructionNode, AttentionNode, FocusNode, MomentsNode, OverlayNode)


def main() -> int:
    """Run all nodes but the camera.

    Topics, services and parameters are those of the separate nodes. What one node publishes goes to the
    others as the object that it is; what nobody outside takes never reaches the middleware.
    """
    topics = Topics(shared=True)

    def make(node: Callable[..., PerceptionNode]) -> Callable[[], PerceptionNode]:
        return lambda: node(topics=topics)

    return run(*(make(node) for node in NODES))


if __name__ == '__main__':
    sys.exit(main())
