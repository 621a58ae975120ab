"""The lifecycle node that all nodes here are: parameters, topics, health, workers, and an orderly end."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable, Collection, Sequence
from typing import Any

from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rcl_interfaces.msg import SetParametersResult
from rclpy.lifecycle import LifecycleNode, TransitionCallbackReturn
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile, qos_policy_name_from_kind
from std_msgs.msg import Header

from vla_attention.ros import health, qos
from vla_attention.ros.diagnostics import Diagnostics
from vla_attention.ros.health import Health
from vla_attention.ros.memory import leftovers
from vla_attention.ros.parameters import READ_ONLY, Parameters, Setting
from vla_attention.ros.signals import guard
from vla_attention.ros.topics import Input, Output, Topics
from vla_attention.ros.worker import NewestWorker

TRANSITIONS = {Transition.TRANSITION_CONFIGURE: 'configure', Transition.TRANSITION_CLEANUP: 'cleanup',
               Transition.TRANSITION_ACTIVATE: 'activate', Transition.TRANSITION_DEACTIVATE: 'deactivate',
               Transition.TRANSITION_UNCONFIGURED_SHUTDOWN: 'shutdown (unconfigured)',
               Transition.TRANSITION_INACTIVE_SHUTDOWN: 'shutdown (inactive)',
               Transition.TRANSITION_ACTIVE_SHUTDOWN: 'shutdown (active)'}
SLOW, STUCK = 10.0, 60.0    # seconds of work on one message that are told, and that count as an error
THROTTLE = 5.0  # seconds between two warnings about the same thing

SETTINGS = (
    Setting('autostart', True, 'Configure and activate at start; false leaves both to a lifecycle manager.',
            when=READ_ONLY),
)


class RefusedError(ValueError):
    """An input that cannot be worked with; the message names topic, value and remedy."""

    def __init__(self, key: str, text: str) -> None:
        super().__init__(text)
        self.key = key


class PerceptionNode(LifecycleNode):
    """What the nodes have in common.

    A node derives from it, declares its :class:`Setting` table, and fills in :meth:`configure` (load what is
    heavy, make outputs), :meth:`activate` (open subscriptions, start workers) and :meth:`cleanup` (let go of
    what configure loaded). Subscriptions and workers end by themselves on deactivate, outputs on cleanup.
    Whatever ``configure`` or ``activate`` raises makes the transition fail, with the reason in the log and
    in diagnostics, and it can be tried again.
    """

    def __init__(self, name: str, settings: Sequence[Setting] = (), *, topics: Topics | None = None,
                 also_known: Collection[str] = (), **node_options: Any) -> None:
        """Make the node, unconfigured.

        :param settings: the node's own parameters; ``autostart`` is added.
        :param topics: given where nodes share a process (see :mod:`vla_attention.ros.topics`).
        :param also_known: parameters of other nodes of the process, which it may be started with too.
        :raises ParameterError: a parameter that the node was started with is refused.
        """
        super().__init__(name, **node_options)
        self.health = Health(self.get_fully_qualified_name().lstrip('/'))
        self.state = 'unconfigured'
        self._topics = topics if topics is not None else Topics()
        self._inputs: list[Input] = []
        self._outputs: list[Output] = []
        self._workers: list[NewestWorker] = []
        self._callback_lock = threading.RLock()
        self._warned: dict[str, tuple[float, int]] = {}
        self._missed: set[str] = set()
        self.parameters = Parameters(self, (*SETTINGS, *settings),
                                     configurable=lambda: self.state == 'unconfigured')
        for service in self.services:
            if service.srv_type is ChangeState:
                service.callback = self._answering(service.callback)
        for text in self.parameters.unknown(also_known):
            self.complain('parameters', text)
        self._diagnostics = Diagnostics(self, self.health, self._tick)

    @property
    def state(self) -> str:
        """Of the lifecycle: unconfigured, inactive, active or finalized."""
        return self.health.state

    @state.setter
    def state(self, state: str) -> None:
        self.health.state = state
        self.health.fact('state', state)
        self.health.changed()

    # ---- what a node fills in

    def configure(self) -> None:
        """Load what is heavy and make the outputs."""

    def activate(self) -> None:
        """Open subscriptions and start workers."""

    def deactivate(self) -> None:
        """End what activate began, besides subscriptions and workers."""

    def cleanup(self) -> None:
        """Let go of what configure loaded, which is half of it where configure has failed."""

    def tick(self) -> None:
        """Do what is to be done once a second (in wall time)."""

    def on_demand(self) -> Sequence[str]:
        """Return the topics that are taken only while somebody takes what comes of them."""
        return ()

    def described(self) -> str:
        """Return what else there is to say of a node that has just been activated, like its backend."""
        return ''

    # ---- what a node uses

    def subscribe(self, message_type: type, topic: str, callback: Callable[[Any], None],
                  profile: QoSProfile) -> Input:
        """Subscribe until deactivate, or :meth:`unsubscribe`; callbacks of one node never overlap.

        An exception from the callback is logged with what it was about and shown in diagnostics.
        """
        def guarded(message: Any) -> None:
            with self._callback_lock:
                if self.state == 'active':
                    try:
                        callback(message)
                    except Exception as error:
                        self.failed(error)

        def incompatible(event: Any) -> None:
            self.complain(topic, f'{self.resolve_topic_name(topic)}: a publisher offers another QoS '
                          f'({qos_policy_name_from_kind(event.last_policy_kind)}) than is asked for, '
                          'nothing will come from it; set qos_overrides on one side')

        entry = Input(self, message_type, topic, guarded, profile, incompatible)
        self._inputs.append(entry)
        return self._topics.subscribe(entry)

    def unsubscribe(self, entry: Input) -> None:
        """End one subscription before deactivate does."""
        self._inputs.remove(entry)
        self._topics.unsubscribe(entry)

    def output(self, message_type: type, topic: str, profile: QoSProfile | None = None) -> Output:
        """Make a publisher that lasts until cleanup and is silent while the node is not active."""
        def incompatible(event: Any) -> None:
            self.complain(topic, f'{self.resolve_topic_name(topic)}: a subscriber asks for another QoS '
                          f'({qos_policy_name_from_kind(event.last_policy_kind)}) than is offered, '
                          'nothing will reach it; set qos_overrides on one side')

        output = Output(self, self._topics, message_type, topic, profile or qos.result(), incompatible)
        self._outputs.append(output)
        return output

    def worker(self, work: Callable[[Any], None], **options: Any) -> NewestWorker:
        """Start a worker that lasts until deactivate; for options see :class:`NewestWorker`."""
        worker = NewestWorker(work, failed=self.failed, **options)
        self._workers.append(worker)
        return worker

    def complain(self, key: str, text: str, level: bytes = health.WARN) -> None:
        """Warn of a problem: in diagnostics at once, in the log at most every 5 s a key."""
        self.health.problem(key, text, level)
        now = time.monotonic()
        last, left_out = self._warned.get(key, (-THROTTLE, 0))
        if now - last < THROTTLE:
            self._warned[key] = (last, left_out + 1)
            return
        self._warned[key] = (now, 0)
        self.get_logger().warning(f'{text} ({left_out} more since the last warning)' if left_out else text)

    def trouble(self, key: str, text: str, over: str = '', level: bytes = health.WARN) -> None:
        """Set a problem that lasts until it is set to ''; log its begin and, by ``over``, its end."""
        before = self.health.standing(key, text, level)
        if text and not before:
            self.get_logger().warning(text)
        elif before and not text and over:
            self.get_logger().info(over)

    def failed(self, error: Exception) -> None:
        """Report an exception that nobody expected; the node goes on."""
        if not self.context.ok():
            return  # publishing after Ctrl-C: the end is near and wanted
        where = traceback.extract_tb(error.__traceback__)[-1] if error.__traceback__ else None
        place = f' at {where.name}:{where.lineno}' if where else ''
        text = f'{type(error).__name__}{place}: {error}'
        self.complain('error', text, health.ERROR)
        self.get_logger().debug(''.join(traceback.format_exception(type(error), error, error.__traceback__)))

    def age(self, header: Header) -> float:
        """Return the seconds from the header's stamp to now by the node's clock."""
        # not by rclpy.time.Time, which raises for stamps before 1970
        stamp = header.stamp.sec * 10**9 + header.stamp.nanosec
        return (self.get_clock().now().nanoseconds - stamp) * 1e-9

    # ---- lifecycle

    def start(self) -> None:
        """Configure and activate where ``autostart`` is set."""
        if self.parameters['autostart'] and self.trigger_configure() == TransitionCallbackReturn.SUCCESS:
            self.trigger_activate()

    def on_configure(self, state: Any) -> TransitionCallbackReturn:
        """See :meth:`configure`."""
        try:
            with guard.interruptible():     # a model may take a minute to load
                self.configure()
        except Exception as error:
            self._transition_failed('configure', error)
            self._release()
            return TransitionCallbackReturn.FAILURE
        except KeyboardInterrupt:   # what runs in the background already must not outlive it
            self._release()
            raise
        self.state = 'inactive'
        self.health.standing('transition', '')
        return super().on_configure(state)

    def on_activate(self, state: Any) -> TransitionCallbackReturn:
        """See :meth:`activate`."""
        for output in self._outputs:
            output.enabled = True
        self.state = 'active'
        try:
            self.activate()
        except Exception as error:
            self._transition_failed('activate', error)
            self._stop()
            return TransitionCallbackReturn.FAILURE
        self.health.standing('transition', '')
        self._tell_active()
        return super().on_activate(state)

    def on_deactivate(self, state: Any) -> TransitionCallbackReturn:
        """See :meth:`deactivate`."""
        self._stop()
        return super().on_deactivate(state)

    def on_cleanup(self, state: Any) -> TransitionCallbackReturn:
        """See :meth:`cleanup`."""
        self._release()
        return super().on_cleanup(state)

    def on_shutdown(self, state: Any) -> TransitionCallbackReturn:
        """Stop and let go, from any state."""
        self.close()
        self.state = 'finalized'
        return super().on_shutdown(state)

    def on_error(self, state: Any) -> TransitionCallbackReturn:
        """Go back to unconfigured, from where it can be tried again."""
        self.close()
        return TransitionCallbackReturn.SUCCESS

    def close(self) -> None:
        """Stop workers and let go of everything; the node may be destroyed then."""
        if self.state == 'active':
            self._stop()
        if self.state == 'inactive':
            self._release()

    def set_parameters_atomically(self, parameter_list: list[Parameter]) -> SetParametersResult:
        """See rclpy; a refusal names the parameter that it is for."""
        misfit = self.parameters.misfit(parameter_list)
        if misfit:
            return SetParametersResult(successful=False, reason=misfit)
        return super().set_parameters_atomically(parameter_list)

    def destroy_node(self) -> None:
        """See rclpy."""
        self._diagnostics.close()
        # rclpy keeps it, and so a participant of DDS, until Python collects, which ``run`` goes without
        self._state_machine.destroy_when_not_in_use()
        super().destroy_node()

    def _answering(self, change: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        """Let the service refuse what the state does not have: rclpy raises, and who asked waits for ever."""
        def answering(request: ChangeState.Request, response: ChangeState.Response) -> Any:
            try:
                return change(request, response)
            except Exception as error:
                asked = request.transition.label or TRANSITIONS.get(request.transition.id,
                                                                    f'transition {request.transition.id}')
                self.complain('refused', f'{asked} was asked for and is refused: the node is {self.state} '
                              f'({type(error).__name__})')
                response.success = False
                return response
        return answering

    def _stop(self) -> None:
        self.state = 'inactive'  # callbacks that still come do nothing
        for entry in self._inputs:
            self._topics.unsubscribe(entry)
        self._inputs.clear()
        for worker in self._workers:
            if not worker.stop():
                self.get_logger().warning('work on the last image has not ended within 10 s')
        self._workers.clear()
        self.deactivate()
        for output in self._outputs:
            output.enabled = False
        self.health.no_longer_expect()

    def _release(self) -> None:
        for output in self._outputs:
            output.close()
        self._outputs.clear()
        self.cleanup()
        self.health.forget()
        self.state = 'unconfigured'

    def _transition_failed(self, transition: str, error: Exception) -> None:
        text = f'cannot {transition}: {error}'
        self.health.standing('transition', text, health.ERROR)
        self.get_logger().error(text)
        self.get_logger().debug(traceback.format_exc())

    def _tick(self) -> None:
        try:
            self.tick()
        except Exception as error:      # diagnostics matter most where something fails
            self.failed(error)
        self._tell_stuck()
        self._tell_missed()
        self._tell_unheard()
        leftovers.give_back()

    def _tell_stuck(self) -> None:
        seconds = max((worker.busy_for() for worker in self._workers), default=0.0)
        stuck = f'work on one message has gone on for {seconds:.0f} s: is the backend stuck?'
        level = health.ERROR if seconds > STUCK else health.WARN
        self.trouble('stuck', stuck if seconds > SLOW else '', level=level)

    def _tell_active(self) -> None:
        now = [self.resolve_topic_name(entry.topic) for entry in self._inputs]
        on_demand = [self.resolve_topic_name(topic) for topic in self.on_demand()]
        later = [name for name in on_demand if name not in now]
        parts = [f'takes {", ".join(now)}' if now else '',
                 f'takes {", ".join(later)} while anybody takes what it gives' if later else '',
                 f'gives {", ".join(output.name for output in self._outputs)}', self.described()]
        self.get_logger().info(f'active: {"; ".join(filter(None, parts))}')

    def _tell_missed(self) -> None:
        """Log what is missing when that begins, and when it ends: not everybody looks at diagnostics."""
        sources = self.health.sources()
        missed = {key for key, complaint in sources.items() if complaint}
        for key in missed - self._missed:
            self.get_logger().warning(sources[key])
        for key in self._missed & sources.keys() - missed:
            self.get_logger().info(f'{key} comes now')
        self._missed = missed

    def _tell_unheard(self) -> None:
        unheard = [self.resolve_topic_name(entry.topic) for entry in self._inputs
                   if self._topics.unheard(entry)]
        text = (f'others publish {", ".join(unheard)} too, but nodes of one process hear each other alone: '
                'start with composed:=false') if unheard else ''
        self.trouble('unheard', text)
