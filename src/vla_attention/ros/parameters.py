"""Parameters of a node as one table: declared, described, limited and checked from it.

A change is checked whole before any of it is taken (on-set callbacks only judge), and nodes read the value
at each use, so that a change takes hold with the next image on every distribution: Humble's rclpy has
no post-set callbacks.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor, SetParametersResult
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.node import Node
from rclpy.parameter import Parameter

LIVE = 'live'              # may change at any time
CONFIGURE = 'configure'    # may change while the node is unconfigured; read in configure
READ_ONLY = 'read only'    # set at start

NOTES = {LIVE: '', CONFIGURE: 'Read in configure: change it while the node is unconfigured.', READ_ONLY: ''}


@dataclass(frozen=True)
class Setting:
    """One row of the table.

    ``description`` says the unit. ``low`` and ``high`` are inclusive; ``choices`` are all the values
    there are; ``check`` returns why a value is refused, or ''. ``when`` is one of LIVE, CONFIGURE, READ_ONLY.
    """

    name: str
    default: Any
    description: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    check: Callable[[Any], str] | None = None
    when: str = LIVE

    def descriptor(self) -> ParameterDescriptor:
        """Return what ``ros2 param describe`` shows, ranges included."""
        descriptor = ParameterDescriptor(
            name=self.name, description=f'{self.description} {NOTES[self.when]}'.strip(),
            additional_constraints=f'one of: {", ".join(self.choices)}' if self.choices else '',
            read_only=self.when == READ_ONLY)
        if self.low is not None and self.high is not None:
            if isinstance(self.default, float):
                descriptor.floating_point_range = [FloatingPointRange(
                    from_value=float(self.low), to_value=float(self.high))]
            else:
                descriptor.integer_range = [IntegerRange(from_value=int(self.low), to_value=int(self.high))]
        return descriptor

    def refusal(self, value: Any) -> str:
        """Return why the value is refused, naming parameter and value, or ''."""
        if self.choices and value not in self.choices:
            return f'{self.name} is {value!r}; it must be one of {", ".join(self.choices)}'
        if self.low is not None and self.high is not None and not self.low <= value <= self.high:
            return f'{self.name} is {value!r}; it must lie in {self.low} to {self.high}'
        reason = self.check(value) if self.check else ''
        return f'{self.name} is {value!r}; {reason}' if reason else ''


class ParameterError(ValueError):
    """A parameter that the node was started with is refused; the message names it and its value."""


class Parameters:
    """The declared parameters of one node; ``parameters['name']`` is the value now."""

    def __init__(self, node: Node, settings: Sequence[Setting], *, configurable: Callable[[], bool]) -> None:
        """Declare the table on the node.

        :param configurable: whether parameters that are read in configure may change now.
        :raises ParameterError: a value that the node was started with is refused.
        """
        self._node = node
        self._settings = {setting.name: setting for setting in settings}
        self._configurable = configurable
        for setting in settings:
            self._declare(setting)
        node.add_on_set_parameters_callback(self._judge)

    def __getitem__(self, name: str) -> Any:
        return self._node.get_parameter(name).value

    def unknown(self, also_known: Collection[str] = ()) -> list[str]:
        """Return what is to be said of parameters that the node was started with and does not have.

        :param also_known: names of which nothing is to be said.
        """
        # rclpy keeps them for later declarations, without a public way to see what was never declared
        given = getattr(self._node, '_parameter_overrides', {})
        names = [name for name in given
                 if name not in self._settings and not self._node.has_parameter(name)
                 and name not in also_known and not name.startswith('qos_overrides.')]
        return [self._unknown(name, ' and is ignored') for name in names]

    def misfit(self, changes: Sequence[Parameter]) -> str:
        """Return which of the changes is of no parameter, or of a type that it does not have, or ''.

        rclpy refuses them too, with a reason that names no parameter.
        """
        for change in changes:
            if not self._node.has_parameter(change.name):
                return self._unknown(change.name)
            descriptor = self._node.describe_parameter(change.name)
            if not descriptor.dynamic_typing and descriptor.type != change.type_.value:
                setting = self._settings.get(change.name)
                return (f'{change.name} is {change.value!r}, of type {change.type_.name}; it must be of type '
                        f'{Parameter.Type(descriptor.type).name}{_decimal_point(setting)}')
        return ''

    def _unknown(self, name: str, so: str = '') -> str:
        close = difflib.get_close_matches(name, self._settings, 1)
        return f'{name} is no parameter of this node{so}' + (f'; {close[0]} is meant?' if close else '')

    def _declare(self, setting: Setting) -> None:
        try:
            value = self._node.declare_parameter(setting.name, setting.default, setting.descriptor()).value
        except InvalidParameterTypeException as error:
            raise ParameterError(f'{error}{_decimal_point(setting)}') from error    # it names name and types
        except InvalidParameterValueException as error:
            raise ParameterError(str(error)) from error
        refusal = setting.refusal(value)
        if refusal:
            raise ParameterError(refusal)

    def _judge(self, changes: Sequence[Parameter]) -> SetParametersResult:
        for change in changes:
            setting = self._settings.get(change.name)
            if setting is None:
                continue  # not ours: qos_overrides, use_sim_time
            if setting.when == CONFIGURE and not self._configurable():
                reason = (f'{change.name} is read in configure; take the node to unconfigured '
                          '(ros2 lifecycle set NODE cleanup), change it, and configure again')
            else:
                reason = setting.refusal(change.value)
            if reason:
                return SetParametersResult(successful=False, reason=reason)
        return SetParametersResult(successful=True)


def _decimal_point(setting: Setting | None) -> str:
    """Return what to do where a whole number was given for a double, the usual slip."""
    if setting is None or not isinstance(setting.default, float):
        return ''
    return f' (write it with a decimal point, as {setting.default!r})'
