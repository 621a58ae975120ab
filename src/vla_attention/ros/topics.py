"""Topics between nodes of one process, without the middleware where that is possible.

A node outside a stack has its own :class:`Topics`, which passes everything on to rclpy. In a stack
(``attention_stack``) the nodes share one: what one of them publishes reaches the others as the object that it
is, and what comes from outside is taken from the middleware once for all of them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.subscription import Subscription

from vla_attention.ros import qos

try:
    from rclpy.event_handler import PublisherEventCallbacks, SubscriptionEventCallbacks
except ImportError:  # Humble
    from rclpy.qos_event import PublisherEventCallbacks, SubscriptionEventCallbacks


@dataclass(eq=False)
class Input:
    """One node's subscription to a topic."""

    node: Node
    message_type: type
    topic: str
    callback: Callable[[Any], None]
    profile: QoSProfile
    incompatible: Callable[[Any], None]
    subscription: Subscription | None = None    # None: another node of the process takes it for this one


@dataclass
class _Topic:
    inputs: list[Input] = field(default_factory=list)
    outputs: int = 0
    kept: Any = None


class Topics:
    """The topics of one process."""

    def __init__(self, *, shared: bool = False) -> None:
        """Make the topics of one node or, ``shared``, of several in one process."""
        self._shared = shared
        self._lock = threading.RLock()
        self._topics: dict[str, _Topic] = {}

    def subscribe(self, entry: Input) -> Input:
        """Open a subscription.

        In a stack the callback may come from another node's thread, and a message is shared with other
        nodes: callbacks guard their state and leave messages as they are.
        """
        if not self._shared:
            self._open(entry)
            return entry
        with self._lock:
            topic = self._topic(entry)
            topic.inputs.append(entry)
            latched = entry.profile.durability == DurabilityPolicy.TRANSIENT_LOCAL
            if topic.outputs == 0:
                # what is kept outside comes to a new subscription alone
                for have in topic.inputs if latched else ():
                    self._close(have)
                self._take_once(topic)
            kept = topic.kept if latched else None
        if kept is not None:
            entry.callback(kept)
        return entry

    def unsubscribe(self, entry: Input) -> None:
        """Close a subscription."""
        with self._lock:
            self._close(entry)
            if self._shared:
                topic = self._topic(entry)
                topic.inputs.remove(entry)
                if topic.outputs == 0:
                    self._take_once(topic)

    def add_output(self, topic: str) -> None:
        """Note that a node of this process publishes the topic: nobody here takes it from outside now."""
        with self._lock:
            entry = self._topics.setdefault(topic, _Topic())
            entry.outputs += 1
            for have in entry.inputs:
                self._close(have)

    def remove_output(self, topic: str) -> None:
        """Take back :meth:`add_output`."""
        with self._lock:
            entry = self._topics[topic]
            entry.outputs -= 1
            entry.kept = None
            if self._shared and entry.outputs == 0:
                self._take_once(entry)

    def listeners(self, topic: str) -> int:
        """Return how many nodes of this process (in a stack) take the topic."""
        with self._lock:
            return len(self._topics[topic].inputs)

    def unheard(self, entry: Input) -> bool:
        """Tell whether others publish what a node of this process does: a stack does not listen to them."""
        name = entry.node.resolve_topic_name(entry.topic)
        with self._lock:
            own = self._topics[name].outputs if self._shared and name in self._topics else 0
        return 0 < own < entry.node.count_publishers(name)

    def hand_over(self, topic: str, message: Any, *, keep: bool) -> None:
        """Give a message to the nodes of this process."""
        if not self._shared:
            return
        with self._lock:
            entry = self._topics[topic]
            if keep:
                entry.kept = message
            inputs = list(entry.inputs)
        for have in inputs:
            have.callback(message)

    def _topic(self, entry: Input) -> _Topic:
        return self._topics.setdefault(entry.node.resolve_topic_name(entry.topic), _Topic())

    def _take_once(self, topic: _Topic) -> None:
        # one of the inputs holds the middleware's subscription and passes on to all
        if not topic.inputs or not topic.inputs[0].node.context.ok():  # nobody asks, or the end has begun
            return
        if not any(entry.subscription for entry in topic.inputs):
            def pass_on(message: Any) -> None:
                with self._lock:
                    inputs = list(topic.inputs)
                for entry in inputs:
                    entry.callback(message)
            self._open(topic.inputs[0], pass_on)

    def _open(self, entry: Input, callback: Callable[[Any], None] | None = None) -> None:
        entry.subscription = entry.node.create_subscription(
            entry.message_type, entry.topic, callback or entry.callback, entry.profile,
            event_callbacks=SubscriptionEventCallbacks(incompatible_qos=entry.incompatible),
            qos_overriding_options=qos.overridable())

    def _close(self, entry: Input) -> None:
        if entry.subscription is not None:
            entry.node.destroy_subscription(entry.subscription)
            entry.subscription = None


class Output:
    """One node's publisher; silent until it is opened."""

    def __init__(self, node: Node, topics: Topics, message_type: type, topic: str, profile: QoSProfile,
                 incompatible: Callable[[Any], None]) -> None:
        self._node = node
        self._topics = topics
        self._keep = profile.durability == DurabilityPolicy.TRANSIENT_LOCAL
        self._publisher: Publisher = node.create_publisher(
            message_type, topic, profile,
            event_callbacks=PublisherEventCallbacks(incompatible_qos=incompatible),
            qos_overriding_options=qos.overridable())
        self.name = node.resolve_topic_name(topic)
        self._topics.add_output(self.name)
        self.enabled = False

    @property
    def wanted(self) -> bool:
        """Whether anybody takes this topic now; where nobody does, its message need not be made."""
        return self.enabled and self.listeners > 0

    @property
    def listeners(self) -> int:
        """How many take the topic, in this process and outside."""
        return self._publisher.get_subscription_count() + self._topics.listeners(self.name)

    def publish(self, message: Any) -> None:
        """Publish, where the node is active."""
        if not self.enabled:
            return
        self._topics.hand_over(self.name, message, keep=self._keep)
        if self._keep or self._publisher.get_subscription_count() > 0:
            self._publisher.publish(message)

    def close(self) -> None:
        """Take the topic off the graph."""
        self.enabled = False
        self._topics.remove_output(self.name)
        self._node.destroy_publisher(self._publisher)
