"""What a terminal shows of the roles behind it."""

import io

from pipeline.local.echo import Echo

AT = "2026-01-31T12:00:00.000Z"


def shown(*lines: str) -> list[str]:
    terminal = io.StringIO()
    echo = Echo(terminal, "worker", 8)
    for line in lines:
        echo(line)
    return terminal.getvalue().splitlines()


def test_what_goes_well_is_for_the_log() -> None:
    assert shown(f"{AT} INFO faust: ready", "  and a further line of it", f"{AT} DEBUG x: y") == []
    assert shown(f'{{"at": "{AT}", "level": "INFO", "logger": "faust", "message": "ready"}}') == []


def test_what_goes_wrong_is_shown_with_all_its_lines() -> None:
    wrong = (f"{AT} ERROR pipeline.app: no\n".strip(), "  Traceback", "    File", f"{AT} INFO a: b", "  c")
    assert shown(*wrong) == [f"worker   | {line}" for line in wrong[:3]]
    assert len(shown(f'{{"at": "{AT}", "level": "WARNING", "logger": "x", "message": "y"}}')) == 1


def test_what_is_no_log_line_is_shown() -> None:
    assert shown(f"{AT} INFO a: b", "--- worker ended with code 1") == ["worker   | --- worker ended with code 1"]
    assert shown("Traceback (most recent call last):", '  File "x"') == [
        "worker   | Traceback (most recent call last):",
        'worker   |   File "x"',
    ]
