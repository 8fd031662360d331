"""Roles that say they do nothing, or went silent, are ended; one that starts or sleeps shortly is not."""

from pipeline.local.live_watch import SILENT_S, LiveWatch, WatchedRole


class Case:
    """One watched role that says what a test wants."""

    def __init__(self) -> None:
        self.now, self.said, self.ended = 0.0, None, list[str]()
        self.watch = LiveWatch([WatchedRole("x", self.ended.append)], says=lambda _: self.said, clock=lambda: self.now)

    said: bool | None

    def after(self, seconds: float, said: bool | None) -> list[str]:
        self.now, self.said = self.now + seconds, said
        self.watch.check()
        return self.ended


def test_a_role_that_does_nothing_is_ended_once() -> None:
    case = Case()
    assert case.after(1, True) == []
    assert case.after(1, False) == ["it lives and nothing moves"]
    assert case.after(SILENT_S * 2, None) == ["it lives and nothing moves"]


def test_a_role_that_never_answered_is_left_to_start() -> None:
    assert Case().after(10 * SILENT_S, None) == []


def test_a_role_that_went_silent_is_ended_after_a_while() -> None:
    case = Case()
    case.after(0, True)
    assert case.after(SILENT_S, None) == []
    assert case.after(1, None) == [f"it has not answered for {SILENT_S:.0f} s"]
