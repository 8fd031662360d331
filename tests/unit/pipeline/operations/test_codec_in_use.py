"""What doctor says of the codec."""

from pipeline.operations.codec_in_use import codec_in_use
from pipeline.operations.findings import Finding


def test_where_nothing_was_compiled_it_is_said_with_what_to_install() -> None:
    assert codec_in_use("compiled") == Finding("codec", "ok", "compiled")
    told = codec_in_use("python")
    assert told.verdict == "unknown"
    assert "apt-get install gcc python3-dev" in told.detail
