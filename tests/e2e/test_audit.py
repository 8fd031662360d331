"""What people and roles did to a running installation is told, with the file of each revision."""

import json
from pathlib import Path
from typing import Any

from tests.e2e.world import CREDENTIALS, FILE, World, eventually, world
from tests.kafka import Kafka

WITHIN_S = 20.0


async def told(it: World) -> Any:
    return json.loads(await it.answer("audit", "acme", "--format", "json"))["entries"]


async def test_the_audit(tmp_path: Path, kafka: Kafka) -> None:
    async with world(tmp_path, kafka) as it:
        await it.pair(1)
        await it.apply()
        await it.full_sync()
        await it.apply(FILE.replace("lifecyclestage", "city"))
        await it.command("integration", "pause", "acme")
        entries = await eventually(
            lambda: told(it), lambda some: any("-> paused" in one["detail"] for one in some), WITHIN_S
        )
        done = [(one["action"], one["revision"]) for one in entries if one["action"] in ("apply", "revision in force")]
        assert [action for action, _ in done] == ["apply", "revision in force"] * 2
        first, second = (revision for action, revision in done if action == "revision in force")
        actions = {one["action"] for one in entries}
        assert {"full-sync start", "pause", "state"} <= actions
        by = {one["action"]: (one["by"], one["place"]) for one in entries}
        assert by["revision in force"][0].startswith("scheduler-")
        assert "pairstream apply" in by["apply"][1] or "apply" in by["apply"][1]
        assert not any(secret in json.dumps(entries) for secret in CREDENTIALS.values())

        before = await it.answer("audit", "acme", "--revision", str(first))
        assert "lifecyclestage" in before and "${HUBSPOT_TOKEN}" in before
        assert "city" in await it.answer("audit", "acme", "--revision", str(second))
        assert "it holds:" in await it.command("audit", "acme", "--revision", "999", expect=1)
        plan = await it.command("plan", str(it.folder / "integration.yaml"), "--revision", str(first), expect=2)
        assert "lifecyclestage" in plan
