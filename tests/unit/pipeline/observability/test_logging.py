"""Log lines: one form each, secrets masked wherever they stand, libraries quiet even when we debug."""

import io
import json
import logging
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest
from confluent_kafka import Consumer

from connectors.kafka.cluster import Cluster
from connectors.kafka.settings import reader_config
from pipeline.observability.logging import QUIET, Masking, set_up

SetUp = Callable[..., io.StringIO]


@pytest.fixture
def written() -> Iterator[SetUp]:
    """Sets logging up towards a text; what was set up before comes back in the end."""
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    root.handlers = []  # pytest's own, which `force` would close
    quiet = {name: logging.getLogger(name).level for name in QUIET}

    def start(form: str = "text", level: str = "INFO", hide: tuple[str, ...] = ()) -> io.StringIO:
        stream = io.StringIO()
        set_up("json" if form == "json" else "text", level, hide=hide, stream=stream)
        return stream

    yield start
    logging.captureWarnings(False)
    root.handlers = handlers
    root.setLevel(level)
    for name, before in quiet.items():
        logging.getLogger(name).setLevel(before)


def test_a_text_line_has_time_level_logger_and_message(written: SetUp) -> None:
    stream = written()

    logging.getLogger("pipeline.app").info("%s: paused", "acme")

    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z INFO pipeline\.app: acme: paused\n", stream.getvalue())


def test_a_json_line_is_one_object_a_line_whatever_the_message(written: SetUp) -> None:
    stream = written("json")

    logging.getLogger("pipeline.app").warning('two\n%s and "quotes"', "lines")

    line = json.loads(stream.getvalue())
    assert stream.getvalue().count("\n") == 1
    assert line.pop("at").endswith("Z")
    assert line == {
        "level": "WARNING",
        "logger": "pipeline.app",
        "event": "app.two_and_quotes",
        "message": 'two\nlines and "quotes"',
    }


def test_a_librarys_repeated_line_is_written_once_and_ours_always(written: SetUp) -> None:
    """A broker that was away for three minutes cost 12 MB of log."""
    stream = written()

    for node in range(5):
        logging.getLogger("aiokafka.conn").error("Unable to connect to node %d", node)
        logging.getLogger("pipeline.app").error("ours %d", node)
    logging.getLogger("aiokafka.conn").error("something else")

    lines = [line.partition(" ERROR ")[2] for line in stream.getvalue().splitlines()]
    assert [line for line in lines if line.startswith("aiokafka")] == [
        "aiokafka.conn: Unable to connect to node 0",
        "aiokafka.conn: something else",
    ]
    assert len([line for line in lines if line.startswith("pipeline")]) == 5


def test_lines_of_librdkafka_are_ours(written: SetUp) -> None:
    """Without a logger they go to standard error as they are: unmasked, unbounded, 7,467 of 7,498 lines."""
    stream = written()
    consumer = Consumer(reader_config(Cluster({"bootstrap.servers": "127.0.0.1:1", "reconnect.backoff.ms": "10"})))

    deadline = time.monotonic() + 10
    while "librdkafka" not in stream.getvalue() and time.monotonic() < deadline:
        consumer.poll(0.1)
    consumer.close()

    lines = stream.getvalue().splitlines()
    assert re.match(r"\S+Z ERROR librdkafka: FAIL \[rdkafka#consumer-\d+\] .*Connection refused", lines[0])
    assert len([line for line in lines if " FAIL " in line]) == 1


def test_what_follows_a_line_break_cannot_pass_for_a_line_of_its_own(written: SetUp) -> None:
    stream = written()

    logging.getLogger("pipeline.app").info("first\n2026-01-01T00:00:00.000Z INFO forged: line")

    assert stream.getvalue().splitlines()[1].startswith("  2026")


def test_lines_below_the_level_are_not_written_and_the_newest_set_up_counts(written: SetUp) -> None:
    before = written(level="DEBUG")
    stream = written(level="WARNING")

    logging.getLogger("pipeline.app").info("too little")
    logging.getLogger("pipeline.app").warning("enough")

    assert before.getvalue() == ""
    assert "too little" not in stream.getvalue()
    assert "enough" in stream.getvalue()


@pytest.mark.parametrize("name", QUIET)
def test_libraries_tell_only_warnings_even_when_we_debug(written: SetUp, name: str) -> None:
    stream = written(level="DEBUG")

    logging.getLogger(name).info("GET /contacts/annie@example.com")
    logging.getLogger(f"{name}.inner").debug("headers")
    logging.getLogger(name).warning("away")

    assert stream.getvalue().count("\n") == 1
    assert "away" in stream.getvalue()


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_secret_is_masked_in_messages_arguments_and_traces(written: SetUp, form: str) -> None:
    stream = written(form, hide=("s3cr3t-value",))

    try:
        raise RuntimeError("refused s3cr3t-value")
    except RuntimeError:
        logging.getLogger("pipeline.app").exception("with %s", "s3cr3t-value")

    text = stream.getvalue()
    assert "s3cr3t" not in text
    assert "with ***" in text
    assert "RuntimeError: refused ***" in text


@pytest.mark.parametrize(
    ("line", "masked"),
    [
        ("Authorization: Bearer abc.def-123456", "Authorization: Bearer ***"),
        ("sent Bearer abc.def-123456 on", "sent Bearer *** on"),
        ("Basic dXNlcjpwYXNz given", "Basic *** given"),
        ('{"access_token": "abc", "expires_in": 1800}', '{"access_token": ***, "expires_in": 1800}'),
        ("refresh_token=abc&grant_type=refresh_token", "refresh_token=***&grant_type=refresh_token"),
        ("client_secret='a b c' next", "client_secret=*** next"),
        ("api_key: ak_live_1, region: us", "api_key: ***, region: us"),
        ("x-hubspot-signature: abc=", "x-hubspot-signature: ***"),
        ("KAFKA_SASL_PASSWORD=hunter2", "KAFKA_SASL_PASSWORD=***"),
        ("http://user:pass@registry:8081/subjects", "http://***@registry:8081/subjects"),
        ("token pat-na1-11111111-2222 used", "token *** used"),
        ("key ak_live_1234567 used", "key *** used"),
        ("sasl.password=hunter2 of librdkafka", "sasl.password=*** of librdkafka"),
        (r'{"token": "a\"b", "region": "us"}', '{"token": ***, "region": "us"}'),
    ],
)
def test_what_looks_like_a_secret_is_masked(line: str, masked: str) -> None:
    assert Masking()(line) == masked


@pytest.mark.parametrize(
    "line",
    [
        "PAIRSTREAM_SECRET_KEY does not open its secrets: webhooks are refused",
        "acme: the token was refreshed",
        "hubspot: needs reconnect (reason token_expired, status 401)",
        "objects[3]: 1200 state rows restored",
        "basic mapping of contacts",
        "answers at http://127.0.0.1:8080/health",
    ],
)
def test_ordinary_lines_stay_as_they_are(line: str) -> None:
    assert Masking()(line) == line


def test_short_texts_are_not_masked_everywhere_and_longer_secrets_go_first() -> None:
    masked = Masking(["a", "", "secret-1", "secret-1-and-more"])

    assert masked("a map of secret-1-and-more") == "a map of ***"


LONG = ("a-" * 50_000, "a" * 100_000, "token " * 20_000, "token='" * 20_000, "://a" * 30_000, "Bearer " * 20_000)


def test_masking_takes_time_by_the_length_and_not_by_its_square() -> None:
    """10,000 characters took 18 s."""
    # in a process of its own, for nothing ends a search in this one
    program = "import sys; from pipeline.observability.logging import Masking; Masking()(sys.stdin.read())"
    for text in LONG:
        subprocess.run([sys.executable, "-c", program], input=text, text=True, check=True, timeout=60)


def test_a_very_long_line_is_cut_and_says_so() -> None:
    masked = Masking()("x" * 30_000)

    assert masked.endswith("... (30,000 characters)")
    assert len(masked) < 21_000


@pytest.mark.parametrize("form", ["text", "json"])
def test_what_a_terminal_takes_for_a_command_is_spelled_out(written: SetUp, form: str) -> None:
    stream = written(form)

    logging.getLogger("pipeline.app").info("title \x1b]0;owned\x07 \x9b2J \u202e back\r \u2028 end")

    text = stream.getvalue() if form == "text" else json.loads(stream.getvalue())["message"]
    assert r"title \x1b]0;owned\x07 \u009b2J \u202e back\r \u2028 end" in text
