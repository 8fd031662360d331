"""Work on what systems send takes time by its length, not by its square: each of these took minutes, or hours."""

import subprocess
import sys
from typing import Final

import pytest

MARKS: Final = "\\u0301\\u0323"
WORK: Final = {
    "an association's type": (
        "from connectors.hubspot.protocol import parse_notifications\n"
        "kind = 'A_TO_' * 190_000 + '!'\n"
        "parse_notifications(b'[{\"portalId\": 1, \"objectId\": 1, \"fromObjectId\": 1,"
        '"subscriptionType": "contact.associationChange", "associationType": "%s"}]\' % kind.encode())\n'
    ),
    "tags that never end": (
        "from pipeline.core.forms import alike\n"
        "assert not alike('a', '<' * 1_000_000)\n"
    ),
    "marks over one letter": (
        "from pipeline.core.forms import alike\n"
        f"assert not alike('a' + '{MARKS}' * 400_000, 'b')\n"
    ),
    "one option again and again": (
        "from pipeline.core.conversion import convert\n"
        "from schemas.values import FieldDefinition\n"
        "options = tuple(map(str, range(2_000)))\n"
        "convert(('1999',) * 300_000, 'list', FieldDefinition('tags', 'multi_select', options=options))\n"
    ),
    "names near to those asked for": (
        "from connectors.contract.suggestions import asked_or_near\n"
        "existing = {f'plan_of_{number:05}_customers': 1 for number in range(50_000)}\n"
        "asked_or_near([f'plan_of_{number}_customer' for number in range(100)], existing)\n"
    ),
}  # fmt: skip


@pytest.mark.parametrize("program", WORK.values(), ids=WORK)
def test_work_takes_time_by_the_length_and_not_by_its_square(program: str) -> None:
    # in a process of its own, for nothing ends a search in this one
    subprocess.run([sys.executable, "-c", program], check=True, timeout=90)
