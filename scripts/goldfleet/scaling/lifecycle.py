"""The lifecycle states of an instance in a group, and which may follow which.

Source: EC2 Auto Scaling user guide, "Amazon EC2 Auto Scaling instance lifecycle". Warm pools, root volume replacement,
retention and quarantine are not modelled.
"""

from enum import StrEnum


class LifecycleState(StrEnum):
    """AWS's LifecycleState values that the model uses."""

    PENDING = "Pending"
    PENDING_WAIT = "Pending:Wait"
    PENDING_PROCEED = "Pending:Proceed"
    IN_SERVICE = "InService"
    TERMINATING = "Terminating"
    TERMINATING_WAIT = "Terminating:Wait"
    TERMINATING_PROCEED = "Terminating:Proceed"
    TERMINATED = "Terminated"
    ENTERING_STANDBY = "EnteringStandby"
    STANDBY = "Standby"
    DETACHING = "Detaching"
    DETACHED = "Detached"


S = LifecycleState

PENDING_STATES = (S.PENDING, S.PENDING_WAIT, S.PENDING_PROCEED)
COUNTED_STATES = frozenset({*PENDING_STATES, S.IN_SERVICE})  # toward the desired capacity
LEAVING_STATES = (S.TERMINATING, S.TERMINATING_WAIT, S.TERMINATING_PROCEED)

FOLLOWERS: dict[LifecycleState, frozenset[LifecycleState]] = {
    S.PENDING: frozenset({S.PENDING_WAIT, S.IN_SERVICE, S.TERMINATING}),
    S.PENDING_WAIT: frozenset({S.PENDING_PROCEED, S.TERMINATING}),
    S.PENDING_PROCEED: frozenset({S.IN_SERVICE, S.TERMINATING}),
    S.IN_SERVICE: frozenset({S.TERMINATING, S.ENTERING_STANDBY, S.DETACHING}),
    S.ENTERING_STANDBY: frozenset({S.STANDBY, S.TERMINATING}),
    S.STANDBY: frozenset({S.PENDING, S.DETACHING, S.TERMINATING}),
    S.TERMINATING: frozenset({S.TERMINATING_WAIT, S.TERMINATING_PROCEED, S.TERMINATED}),
    S.TERMINATING_WAIT: frozenset({S.TERMINATING_PROCEED, S.TERMINATED}),
    S.TERMINATING_PROCEED: frozenset({S.TERMINATED}),
    S.TERMINATED: frozenset(),
    S.DETACHING: frozenset({S.DETACHED}),
    S.DETACHED: frozenset(),
}


class IllegalTransitionError(AssertionError):
    """The model itself is wrong: it tried a transition that AWS does not document."""
