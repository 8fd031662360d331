"""Sealed secrets: they open with any of the keys, and the key file is its owner's alone."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from pipeline.secrets import (
    _HPKE,
    KEY_FILE,
    KeyFileUnsafe,
    NoKeyFits,
    PublicBox,
    SecretBox,
    is_key,
    is_public_key,
    load_or_make_key,
    make_key,
)
from schemas.configuration import secret_place

KEY = make_key()
PLACE = secret_place("acme", "hubspot", "token")


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_what_is_sealed_opens_again(text: str) -> None:
    box = SecretBox([KEY])

    assert box.open(box.seal(text, PLACE), PLACE) == text


def test_a_seal_shows_nothing_and_no_two_are_alike() -> None:
    box = SecretBox([KEY])

    assert b"token-0" not in box.seal("token-0", PLACE)
    assert box.seal("token-0", PLACE) != box.seal("token-0", PLACE)
    assert KEY not in repr(box)


def test_an_old_key_still_opens_and_the_new_one_seals() -> None:
    new = make_key()
    sealed = SecretBox([KEY]).seal("token-0", PLACE)
    rotating = SecretBox([new, KEY])

    assert rotating.open(sealed, PLACE) == "token-0"
    assert SecretBox([new]).open(rotating.seal("token-1", PLACE), PLACE) == "token-1"


def test_a_lost_key_is_said_clearly() -> None:
    sealed = SecretBox([KEY]).seal("token-0", PLACE)
    other = SecretBox([make_key()])

    with pytest.raises(NoKeyFits, match="None of the keys in PAIRSTREAM_SECRET_KEY opens this secret"):
        other.open(sealed, PLACE)
    assert (SecretBox([KEY]).can_open(sealed, PLACE), other.can_open(sealed, PLACE)) == (True, False)


@pytest.mark.parametrize("changed", [slice(0, -2), slice(0, 20), slice(0, 13), slice(5, None)])
def test_a_changed_seal_does_not_open(changed: slice) -> None:
    box = SecretBox([KEY])

    with pytest.raises(NoKeyFits):
        box.open(box.seal("token-0", PLACE)[changed], PLACE)


@pytest.mark.parametrize("elsewhere", ["beta/hubspot/token", "acme/userflow/token", "acme/hubspot/app_secret", ""])
def test_a_seal_opens_nowhere_but_in_its_place(elsewhere: str) -> None:
    """Whoever may write to the brokers could have one integration call with the token of another."""
    box = SecretBox([KEY])

    assert not box.can_open(box.seal("token-0", PLACE), elsewhere)


def test_a_seal_of_before_still_opens() -> None:
    new = make_key()

    assert SecretBox([new, KEY]).open(Fernet(KEY).encrypt(b"token-0"), PLACE) == "token-0"
    assert not SecretBox([new]).can_open(Fernet(KEY).encrypt(b"token-0"), PLACE)


def test_a_box_needs_a_usable_key() -> None:
    assert (is_key(KEY), is_key("short"), is_key("ü"), is_key("")) == (True, False, False, False)
    for keys in ([], ["short"]):
        with pytest.raises(ValueError, match="key"):
            SecretBox(keys)


def test_a_key_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    state_dir = tmp_path / "new" / "state"
    key = load_or_make_key(state_dir)

    assert is_key(key)
    assert load_or_make_key(state_dir) == key
    assert stat.S_IMODE((state_dir / KEY_FILE).stat().st_mode) == 0o600
    assert [path.name for path in state_dir.iterdir()] == [KEY_FILE]


def test_processes_that_start_at_once_get_one_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: load_or_make_key(tmp_path), range(32)))

    assert len(keys) == 1


def test_a_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    load_or_make_key(tmp_path)
    (tmp_path / KEY_FILE).chmod(0o644)

    with pytest.raises(KeyFileUnsafe, match="chmod 600"):
        load_or_make_key(tmp_path)


@pytest.mark.parametrize("text", ["token-0", ""])
def test_a_seal_of_a_former_key_or_without_a_place_is_renewed_once(text: str) -> None:
    new = make_key()
    rotating = SecretBox([new, KEY])
    for sealed in (SecretBox([KEY]).seal(text, PLACE), Fernet(KEY).encrypt(text.encode()), Fernet(new).encrypt(b"")):
        assert not rotating.is_newest(sealed, PLACE)
        renewed = rotating.renewed(sealed, PLACE)
        assert rotating.is_newest(renewed, PLACE)
        assert not rotating.is_newest(renewed, f"{PLACE}-2")
        assert rotating.renewed(renewed, PLACE) == renewed
        assert SecretBox([new]).open(renewed, PLACE) == rotating.open(sealed, PLACE)


def test_the_key_that_sealed_is_known_by_its_number() -> None:
    new, stranger = make_key(), SecretBox([make_key()])
    both = SecretBox([new, KEY])
    for number, key in ((1, new), (2, KEY)):
        of_it = SecretBox([key])
        for sealed in (of_it.seal("a", PLACE), PublicBox(of_it.public_keys[0]).seal("a", PLACE)):
            assert (both.key_of(sealed, PLACE), both.is_newest(sealed, PLACE)) == (number, number == 1)
            assert both.key_of(sealed, f"{PLACE}-2") is stranger.key_of(sealed, PLACE) is None
        placeless = Fernet(key).encrypt(b"a")
        assert (both.key_of(placeless, PLACE), both.is_newest(placeless, PLACE)) == (number, False)
    assert both.count == 2


def test_a_key_is_known_by_a_name_that_is_no_part_of_it() -> None:
    assert SecretBox([KEY]).key_id == SecretBox([KEY, make_key()]).key_id != SecretBox([make_key()]).key_id
    assert SecretBox([KEY]).key_id not in KEY


def test_whoever_has_only_the_public_key_seals_and_opens_nothing() -> None:
    box, other = SecretBox([KEY]), SecretBox([make_key()])
    sealed = PublicBox(box.public_keys[0]).seal("token-0", PLACE)

    assert box.open(sealed, PLACE) == "token-0"
    assert b"token-0" not in sealed and sealed != PublicBox(box.public_keys[0]).seal("token-0", PLACE)
    assert (other.can_open(sealed, PLACE), box.is_newest(sealed, PLACE)) == (False, True)
    assert not SecretBox([box.public_keys[0]]).can_open(sealed, PLACE)  # the public key in place of the secret one


@pytest.mark.parametrize("place", ["beta/hubspot/token", "acme/userflow/token", ""])
def test_such_a_seal_is_bound_to_its_place(place: str) -> None:
    box = SecretBox([KEY])
    with pytest.raises(NoKeyFits):
        box.open(PublicBox(box.public_keys[0]).seal("token-0", PLACE), place)


@given(st.binary(max_size=80))
def test_no_bytes_open_as_such_a_seal(rest: bytes) -> None:
    with pytest.raises(NoKeyFits):
        SecretBox([KEY]).open(b"pairstream-2:" + rest, PLACE)


def test_a_seal_of_what_is_no_text_is_one_that_no_key_opens() -> None:
    """Whoever has the public key can make one, and every process opens it."""
    box = SecretBox([KEY])
    hostile = b"pairstream-2:" + _HPKE.encrypt(b"\xff\xfe", PublicBox(box.public_keys[0])._key, PLACE.encode())
    with pytest.raises(NoKeyFits):
        box.open(hostile, PLACE)
    assert not box.can_open(hostile, PLACE)
    assert (box.key_of(hostile, PLACE), box.is_newest(hostile, PLACE)) == (None, False)
    assert not box.same(hostile, hostile, PLACE)
    with pytest.raises(NoKeyFits):
        SecretBox([make_key(), KEY]).renewed(hostile, PLACE)
    with pytest.raises(NoKeyFits):
        box.renewed(hostile, PLACE)


def test_a_rotation_takes_such_seals_and_older_ones_along() -> None:
    before, new = SecretBox([KEY]), make_key()
    seals = before.seal("token-0", PLACE), PublicBox(before.public_keys[0]).seal("token-0", PLACE)
    rotating = SecretBox([new, KEY])
    for sealed in seals:
        assert not rotating.is_newest(sealed, PLACE)
        renewed = rotating.renewed(sealed, PLACE)
        assert SecretBox([new]).open(renewed, PLACE) == "token-0"
        assert rotating.renewed(renewed, PLACE) == renewed


def test_a_public_key_is_known_by_its_form() -> None:
    assert is_public_key(SecretBox([KEY]).public_keys[0])
    assert not any(map(is_public_key, ("", "short", "é" * 44, "A" * 60)))


def test_seals_of_one_secret_are_known_to_be_the_same_whoever_made_them() -> None:
    former, newest = make_key(), make_key()
    box, place = SecretBox([newest, former]), "acme/hubspot/token"
    seals = [
        box.seal("pat", place),
        box.seal("pat", place),
        SecretBox([former]).seal("pat", place),
        PublicBox(box.public_keys[0]).seal("pat", place),
    ]
    assert all(box.same(one, other, place) for one in seals for other in seals)
    assert not box.same(seals[0], box.seal("pat-typo", place), place)
    assert not box.same(seals[0], seals[0], "acme/hubspot/app_secret")  # it opens nowhere else
    assert not SecretBox([newest]).same(seals[0], seals[2], place)
    lost = SecretBox([make_key()]).seal("pat", place)
    assert not box.same(lost, lost, place)
