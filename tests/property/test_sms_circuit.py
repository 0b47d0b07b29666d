"""A gateway's circuit against any order of tries, answers and clocks."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from nightlatch.domain.sms import circuit
from nightlatch.domain.sms.circuit import FIRST_REST, LONGEST_REST, OPEN_AFTER, TRIAL, Circuit, CircuitState
from nightlatch.domain.time import DAY, SECOND

START = 1_766_000_000 * SECOND


class Tries(RuleBasedStateMachine):
    """Tries begin where the circuit lets them, and end well or badly, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.now = START
        self.circuit = Circuit()
        self.under_way = 0
        self.failed_in_a_row = 0

    def state(self) -> CircuitState:
        """Where it stands now."""
        return circuit.state_of(self.circuit, self.now)

    @rule()
    def try_one(self) -> None:
        """Closed lets everybody in, open nobody, half-open one."""
        before = self.state()
        begun = circuit.begin(self.circuit, self.now)
        assert (begun is None) == (before is CircuitState.OPEN)
        if begun is None:
            return
        self.circuit = begun
        self.under_way += 1
        if before is CircuitState.HALF_OPEN:
            assert circuit.begin(self.circuit, self.now) is None
            assert circuit.begin(self.circuit, self.now + TRIAL - 1) is None
            assert circuit.begin(self.circuit, self.now + TRIAL) is not None

    @precondition(lambda self: self.under_way)
    @rule()
    def end_well(self) -> None:
        """One success closes it."""
        self.under_way -= 1
        self.failed_in_a_row = 0
        self.circuit = circuit.after_success(self.circuit)
        assert self.state() is CircuitState.CLOSED

    @precondition(lambda self: self.under_way)
    @rule()
    def end_badly(self) -> None:
        """A failure never closes it, and a trial that fails rests it at least as long as before."""
        self.under_way -= 1
        self.failed_in_a_row += 1
        before, was = self.circuit, self.state()
        self.circuit = circuit.after_failure(before, self.now)
        if before.trial:
            assert self.circuit.rest >= before.rest
            assert self.state() is CircuitState.OPEN
        elif was is not CircuitState.CLOSED:
            assert self.circuit == before

    @rule(passed=st.integers(0, 2 * LONGEST_REST))
    def let_time_pass(self, passed: int) -> None:
        """The clock goes on."""
        self.now += passed

    @rule(back=st.integers(1, DAY))
    def set_the_clock_back(self, back: int) -> None:
        """No gateway rests for a day because of it."""
        self.now -= back

    @invariant()
    def it_is_open_only_after_failures(self) -> None:
        """Fewer in a row than five leave it closed; five in a row from the start do not."""
        if self.failed_in_a_row < OPEN_AFTER:
            assert self.circuit.rest == 0
        else:
            assert self.circuit.rest >= FIRST_REST

    @invariant()
    def it_opens_again(self) -> None:
        """Now or after the longest rest somebody is let in, whatever happened, the clock set back included."""
        assert self.circuit.rest <= LONGEST_REST
        instants = (self.now, self.now + LONGEST_REST + TRIAL)
        assert any(circuit.begin(self.circuit, instant) is not None for instant in instants)


TestTries = Tries.TestCase
