"""The body and its signature, held against the example that Standard Webhooks' own libraries are tested with."""

import json

import pytest

from pipeline.notices.message import body_of, request_of, signature
from pipeline.signing_key import key_of
from schemas.operating import Notice

NOTICE = Notice("acme", "hubspot", "needs_reconnect", "ok", 3, "5f0c", 1_700_000_000_123, "waiting", "grant_revoked")


def test_the_body_is_the_documented_one() -> None:
    assert json.loads(body_of(NOTICE, "staging")) == {
        "id": "5f0c",
        "type": "pairstream.state_changed",
        "timestamp": "2023-11-14T22:13:20.123+00:00",
        "data": {
            "installation": "staging",
            "integration": "acme",
            "subject": "hubspot",
            "condition": "needs_reconnect",
            "before": "ok",
            "reason": "grant_revoked",
            "number": 3,
        },
    }


def test_the_signature_is_that_of_standard_webhooks() -> None:
    key = key_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signed = signature(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, b'{"test": 2432232314}')
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_every_try_has_the_same_id_and_body_and_its_own_time() -> None:
    one, later = (request_of(NOTICE, "/hook?a=b", b"k" * 16, "", at_ms) for at_ms in (1_000, 61_000))
    assert (one.target, one.body) == ("/hook?a=b", later.body)
    assert dict(one.headers)["webhook-id"] == dict(later.headers)["webhook-id"] == "5f0c"
    assert (dict(one.headers)["webhook-timestamp"], dict(later.headers)["webhook-timestamp"]) == ("1", "61")
    assert dict(one.headers)["webhook-signature"] != dict(later.headers)["webhook-signature"]


def test_a_secret_that_is_no_base64_behind_its_word_is_refused() -> None:
    assert key_of("plain text of some length") == b"plain text of some length"
    with pytest.raises(ValueError, match="no base64"):
        key_of("whsec_!!!")
