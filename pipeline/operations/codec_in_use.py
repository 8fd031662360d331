"""What doctor says of the codec."""

from pipeline.operations.findings import Finding
from schemas.codec import SLOWER, CodecKind


def codec_in_use(kind: CodecKind) -> Finding:
    """The codec of this installation of the package; roles on other machines may have another: their metric says so."""
    if kind == "compiled":
        return Finding("codec", "ok", "compiled")
    return Finding("codec", "unknown", SLOWER, "codec_python")
