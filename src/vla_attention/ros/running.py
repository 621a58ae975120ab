"""What ``main`` of every node is: nodes in one executor, from start to an orderly end."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Sequence

import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.signals import uninstall_signal_handlers

from vla_attention.ros.executor import PatientExecutor
from vla_attention.ros.memory import keep_image_memory
from vla_attention.ros.parameters import ParameterError
from vla_attention.ros.perception_node import PerceptionNode
from vla_attention.ros.signals import guard


def run(*make: Callable[[], PerceptionNode], arguments: list[str] | None = None) -> int:
    """Run nodes in one executor until Ctrl-C, SIGTERM or shutdown; what ``main`` of every node is.

    To be called from the main thread, at the end of a process: signals are not heeded any more afterwards.

    :returns: the exit status: 0 after an orderly end, 2 where a parameter or argument is refused.
    """
    nodes: list[PerceptionNode] = []
    keep_image_memory()
    guard.install()
    try:
        with guard.interruptible():
            rclpy.init(args=arguments)
    except KeyboardInterrupt:
        return 0
    except Exception as error:  # rclpy has no type in common for arguments and parameter files it cannot read
        print(f'refused: {error}', file=sys.stderr)
        return 2
    try:
        executor = PatientExecutor()
        with guard.interruptible():
            for make_node in make:
                nodes.append(make_node())
                executor.add_node(nodes[-1])
            for node in nodes:
                node.start()
        _spin(executor, nodes)
    except ParameterError as error:
        print(f'refused: {error}', file=sys.stderr)
        return 2
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    except Exception:
        if rclpy.ok():  # what fails because a signal came while nodes were starting is no failure
            raise
    finally:
        for node in nodes:
            node.close()
            node.destroy_node()
        rclpy.try_shutdown()
        uninstall_signal_handlers()
        guard.ignore()
        gc.freeze()  # Python's last collections over all that torch made take most of a second otherwise
    return 0


def _spin(executor: PatientExecutor, nodes: Sequence[PerceptionNode]) -> None:
    while rclpy.ok():
        try:
            executor.spin()
        except ExternalShutdownException:
            return
        except Exception as error:
            # rclpy lets errors of its own callbacks out; a robot's eyes must not close over that
            nodes[0].failed(error)
