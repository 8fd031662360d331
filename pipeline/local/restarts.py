"""When a role that ended is started again: a pure decision."""

from dataclasses import dataclass


@dataclass(frozen=True)
class RestartPolicy:
    """The wait doubles with each end in a row; a run of `healthy_s` seconds, or a kill, starts the count anew."""

    first_wait_s: float = 0.2
    longest_wait_s: float = 30.0
    # what cannot work ends within seconds
    healthy_s: float = 10.0


@dataclass(frozen=True)
class Restarts:
    """How often a role was started again, and how many of its ends came in a row without a healthy run between."""

    total: int = 0
    in_a_row: int = 0

    def after_end(self, ran_s: float, policy: RestartPolicy, *, killed: bool = False) -> "Restarts":
        """`killed`: a signal ended it, so it did not fail by itself; ten kills in two minutes once cost 38 s each."""
        anew = killed or ran_s >= policy.healthy_s
        return Restarts(self.total + 1, 1 if anew else self.in_a_row + 1)

    def wait_s(self, policy: RestartPolicy) -> float:
        """Seconds to wait before the next start."""
        if self.in_a_row == 0:
            return 0.0
        doublings = min(self.in_a_row - 1, 32)  # beyond that only the float would overflow
        return float(min(policy.longest_wait_s, policy.first_wait_s * 2**doublings))
