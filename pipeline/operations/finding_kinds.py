"""Every finding of `pairstream doctor` by its stable code: what it means, what mends it, and the command that does."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

OK: Final = "ok"

FindingCode = Literal[
    "ok",
    "codec_python",
    "state_dir_unusable",
    "disk_nearly_full",
    "brokers_unreachable",
    "partitions_differ",
    "topics_differ",
    "registry_unusable",
    "configuration_unreadable",
    "role_absent",
    "role_silent",
    "role_restarts",
    "role_twice",
    "clocks_differ",
    "group_reset",
    "stage_stopped",
    "stage_stalled",
    "retention_near",
    "webhooks_refused",
    "records_lost",
    "letters_open",
    "letters_not_looked_at",
    "apply_refused",
    "grant_awaited",
    "secrets_do_not_open",
    "connector_not_reported",
    "connector_does_not_answer",
    "needs_reconnect",
    "connector_failed",
    "connector_unavailable",
    "wait_capped",
    "fields_not_created",
    "vendor_clock_wrong",
    "type_denied",
    "news_wait",
    "scopes_lacking",
    "field_stands_still",
    "field_gone",
    "fields_not_described",
    "subscription_missing",
    "subscription_disabled",
    "subscription_incomplete",
    "subscription_unreadable",
    "subscription_checklist",
    "secrets_former_key",
    "secrets_not_looked_at",
    "left_in_system",
    "full_sync_failed",
    "full_sync_stalled",
    "full_sync_overdue",
    "full_sync_never",
]


@dataclass(frozen=True, slots=True)
class FindingKind:
    """What one code says; `{name}` in a command is the integration's."""

    meaning: str
    fix: str
    command: str = ""

    def command_for(self, name: str | None) -> str:
        """The command, of that integration where it is about one."""
        return self.command.replace("{name}", name or "NAME")


FINDINGS: Final[Mapping[FindingCode, FindingKind]] = {
    "ok": FindingKind(
        "what was looked at is as it should be",
        "nothing",
    ),
    "codec_python": FindingKind(
        "nothing was compiled where this command is installed: records cost several times the CPU; "
        "`pairstream_codec_compiled` says it of each role",
        "install a C compiler (`apt-get install gcc python3-dev`) and set up again, or use a wheel",
        "make setup",
    ),
    "state_dir_unusable": FindingKind(
        "PAIRSTREAM_STATE_DIR is no directory that this user may write: `up`, the local broker and "
        "agents that keep rows on disk cannot work in it",
        "set PAIRSTREAM_STATE_DIR to a directory that you may write, or mend its permissions",
    ),
    "disk_nearly_full": FindingKind(
        "the disk of PAIRSTREAM_STATE_DIR is nearly full: a local broker stops where nothing can be written",
        "free space there, or set PAIRSTREAM_STATE_DIR to another disk",
    ),
    "brokers_unreachable": FindingKind(
        "no broker answers at KAFKA_BOOTSTRAP_SERVERS",
        "check the address, the network, and the TLS and SASL settings",
    ),
    "partitions_differ": FindingKind(
        "topics have another partition count than PAIRSTREAM_PARTITIONS says, or a change of it is half made: nothing "
        "that depends on where keys are is looked at",
        "set PAIRSTREAM_PARTITIONS as the topics have it; for another count stop every role, and run "
        "`pairstream topics repartition NUMBER`",
    ),
    "topics_differ": FindingKind(
        "topics are missing, or their settings differ from the table",
        "make them so; for replicas add `--replication 3`",
        "pairstream topics apply",
    ),
    "registry_unusable": FindingKind(
        "the schema registry does not answer, or refuses a schema",
        "check SCHEMA_REGISTRY_URL; its compatibility is set by Pairstream",
    ),
    "configuration_unreadable": FindingKind(
        "`sync.integrations`, or another topic that tells how the installation is, cannot be read to its end",
        "look at the brokers; where the roles are newer than this command, upgrade it",
    ),
    "role_absent": FindingKind(
        "no process of that role has written its figures for two minutes: none runs, its brokers are "
        "others, or it is of an older release",
        "start it",
    ),
    "role_silent": FindingKind(
        "every process of that role wrote its figures last some time ago: it was ended, or it is frozen",
        "look at its log, end it, and start it again",
    ),
    "role_restarts": FindingKind(
        "a process began again and again within two minutes: it ends itself, or is ended, each time",
        "its log names the reason: exit code 70 is a process that stopped itself",
    ),
    "role_twice": FindingKind(
        "two processes write figures under one name: they have the same PAIRSTREAM_ORDINAL, and fence each other",
        "give each process of a role its own ordinal, or end one of them",
    ),
    "clocks_differ": FindingKind(
        "the clock of a process is ahead of this machine's by more than its figures can be old: "
        "seconds behind are wrong by as much, and webhooks may be refused as `stale`",
        "set the clocks of all machines by NTP",
    ),
    "group_reset": FindingKind(
        "a consumer group goes on before what is retained, or behind the end: its offsets were reset, "
        "or retention was faster than it",
        "what was missed comes back by a full sync of every integration",
        "pairstream full-sync start {name}",
    ),
    "stage_stopped": FindingKind(
        "records wait, and nobody takes them, or whoever does gives no sign of life",
        "start that role again; its log says why it ended",
        "pairstream lag",
    ),
    "stage_stalled": FindingKind(
        "records wait, and a process that lives ends none of them",
        "its log, and how far behind it is; where a vendor's limit holds it up, `pairstream lag` says so",
        "pairstream lag",
    ),
    "retention_near": FindingKind(
        "within six hours the first record that waits is old enough to be deleted",
        "get the stage to move, or keep the topic longer",
        "pairstream lag",
    ),
    "webhooks_refused": FindingKind(
        "the newest webhook of that system was not taken, in the last ten minutes: the reason stands beside",
        "check the app's secret in the file, PAIRSTREAM_PUBLIC_URL, and the clock",
        "pairstream apply FILE.yaml",
    ),
    "records_lost": FindingKind(
        "retention or a person deleted records before they were read, or a topic was made anew; a "
        "full sync was asked for by itself",
        "wait until it is complete, or start it; give more disk or a longer retention",
        "pairstream full-sync start {name}",
    ),
    "letters_open": FindingKind(
        "values or records were refused, and nobody has mended them or put them away",
        "see what each needs",
        "pairstream dead-letters list --integration {name}",
    ),
    "letters_not_looked_at": FindingKind(
        "there are more dead letters than one look judges: whether older ones are open is not known",
        "count them all, which takes longer; the console keeps count of all as they come",
        "pairstream dead-letters list --max 1000000",
    ),
    "apply_refused": FindingKind(
        "the last apply was refused: the reason follows; what was in force before is in force still",
        "mend the file, and apply it again",
        "pairstream apply FILE.yaml",
    ),
    "grant_awaited": FindingKind(
        "a file that was applied waits for somebody to grant access; what was in force before goes on",
        "grant it, or apply the file in force to withdraw the other",
        "pairstream connect {name}",
    ),
    "secrets_do_not_open": FindingKind(
        "PAIRSTREAM_SECRET_KEY does not open the integration's secrets: they were sealed with another key",
        "set that key behind the new one",
        "pairstream secrets rotate",
    ),
    "connector_not_reported": FindingKind(
        "nothing of this connection came from the connector",
        "is it running, and ready? Its log says",
    ),
    "connector_does_not_answer": FindingKind(
        "the connector was asked what its system says now, and did not answer in time: it is not "
        "running, frozen, or its system is away",
        "look at the role, then at its log",
        "pairstream lag",
    ),
    "needs_reconnect": FindingKind(
        "the vendor refuses the credentials, or nobody has granted access yet; patches are parked",
        "connect again, or apply with new ones; the fix stands beside",
        "pairstream connect {name}",
    ),
    "connector_failed": FindingKind(
        "a permission, scope or address is wrong; patches are parked",
        "mend it: the vendor is tried at least every 30 s",
    ),
    "connector_unavailable": FindingKind(
        "the vendor is slow, limits us, or answers 5xx; patches are parked",
        "nothing: every pair is derived again on its return",
    ),
    "wait_capped": FindingKind(
        "the vendor works and asks for a longer wait than PAIRSTREAM_LONGEST_WAIT_S; calls wait that long at a time",
        "ask for the account's limits; look whether a proxy answers in the vendor's place",
    ),
    "fields_not_created": FindingKind(
        "`apply` is under way, or HubSpot refused a property",
        "wait; else the connector's log",
    ),
    "vendor_clock_wrong": FindingKind(
        "the vendor's `Date` and this machine's clock differ, answer after answer; beyond a day its "
        "times count as none",
        "set this machine's clock by NTP",
    ),
    "type_denied": FindingKind(
        "the credentials may not read, or write, an object type; everything else goes on",
        "the fix stands beside",
    ),
    "news_wait": FindingKind(
        "HubSpot refuses its journal or a search: what changed there is heard of once that is mended, "
        "for the place is kept",
        "the fix stands beside; or choose another source",
    ),
    "scopes_lacking": FindingKind(
        "the file needs scopes that HubSpot has not granted",
        "give the app the scopes, connect, then apply again",
        "pairstream connect {name}",
    ),
    "field_stands_still": FindingKind(
        "a mapped field was archived, may not be read any more, is read-only, or has another type: "
        "what reads it stands still, and the fields written from it keep their values",
        "restore it, grant its permission, or drop the rule, and apply again",
        "pairstream apply FILE.yaml",
    ),
    "field_gone": FindingKind(
        "a property that Pairstream made was archived: writes to it are refused",
        "restore it, or apply again, which does",
        "pairstream apply FILE.yaml",
    ),
    "fields_not_described": FindingKind(
        "the connector was asked what its system says of the mapped fields, and the system refused",
        "the reason stands beside",
    ),
    "subscription_missing": FindingKind(
        "the system has no webhook subscription that sends to this installation: edits there are not heard of",
        "apply the file again, which makes it; then a full sync brings what was missed",
        "pairstream apply FILE.yaml",
    ),
    "subscription_disabled": FindingKind(
        "the webhook subscription is there and disabled: edits are not heard of",
        "apply the file again, which enables it; then a full sync brings what was missed",
        "pairstream apply FILE.yaml",
    ),
    "subscription_incomplete": FindingKind(
        "the webhook subscription does not tell of everything that the mappings need",
        "apply the file again, which mends it",
        "pairstream apply FILE.yaml",
    ),
    "subscription_unreadable": FindingKind(
        "the system refused to tell of its webhook subscriptions",
        "the reason stands beside",
    ),
    "subscription_checklist": FindingKind(
        "no token can read what a HubSpot app subscribes to: a checklist for you",
        "compare it with the app; the project files for it can be written",
        "pairstream hubspot-project FILE.yaml --out FOLDER",
    ),
    "secrets_former_key": FindingKind(
        "PAIRSTREAM_SECRET_KEY got a new first key, and secrets are still sealed with a former one",
        "seal them again; then the former key can go",
        "pairstream secrets rotate",
    ),
    "secrets_not_looked_at": FindingKind(
        "this command has no PAIRSTREAM_SECRET_KEY, so it cannot tell whether the roles' key opens the secrets",
        "fine in CI; to look, run it where the key is",
        "pairstream doctor",
    ),
    "left_in_system": FindingKind(
        "a disconnect may have left something in a system that was away",
        "the fix stands beside",
    ),
    "full_sync_failed": FindingKind(
        "the last full sync ended without being complete",
        "mend its reason, then start it again",
        "pairstream full-sync start {name}",
    ),
    "full_sync_stalled": FindingKind(
        "a full sync is under way and does not move",
        "the reason stands beside",
        "pairstream full-sync status {name}",
    ),
    "full_sync_overdue": FindingKind(
        "the last full sync that completed is older than PAIRSTREAM_FULL_SYNC_INTERVAL_S and two "
        "hours: what was missed since then stays missed",
        "look at the scheduler, or start one",
        "pairstream full-sync start {name}",
    ),
    "full_sync_never": FindingKind(
        "no full sync was ever complete: only what changed since the apply is in step",
        "start one",
        "pairstream full-sync start {name}",
    ),
}
