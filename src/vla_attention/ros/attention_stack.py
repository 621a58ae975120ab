"""The whole stack in one process and one executor; images and results pass between nodes as they are."""

from __future__ import annotations

import sys
from collections.abc import Callable

from vla_attention.ros import attention_node, focus_node, instruction_node, moments_node, overlay_node
from vla_attention.ros.perception_node import PerceptionNode
from vla_attention.ros.running import run
from vla_attention.ros.topics import Topics

# seconds after which a thread that computes in Python lets another one go on (5 ms as Python comes): what is
# followed and lifted in 2 ms should not wait longer than that for the look beside it
SWITCH_INTERVAL = 0.001
NODES: tuple[Callable[..., PerceptionNode], ...] = (
    instruction_node.InstructionNode, attention_node.AttentionNode, focus_node.FocusNode,
    moments_node.MomentsNode, overlay_node.OverlayNode)
# "-p backend:=clipseg" goes to every node of a process, also to those that have no backend
PARAMETERS = frozenset(
    setting.name for module in (instruction_node, attention_node, focus_node, moments_node, overlay_node)
    for setting in module.SETTINGS)


def main() -> int:
    """Run all nodes but the camera.

    Topics, services and parameters are those of the separate nodes. What one node publishes goes to the
    others as the object that it is; what nobody outside takes never reaches the middleware, and what others
    publish on such a topic is not heard (a warning says so).
    """
    sys.setswitchinterval(SWITCH_INTERVAL)
    topics = Topics(shared=True)

    def make(node: Callable[..., PerceptionNode]) -> Callable[[], PerceptionNode]:
        return lambda: node(topics=topics, also_known=PARAMETERS)

    return run(*(make(node) for node in NODES))


if __name__ == '__main__':
    sys.exit(main())
