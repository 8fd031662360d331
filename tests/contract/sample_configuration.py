"""The sample of the rows of `sync.integrations`: every part of what is known of an integration."""

from schemas.configuration import (
    ConnectAnswer,
    ConnectLink,
    ConnectorState,
    DescribedEvent,
    DescribedField,
    DescribedType,
    Description,
    DesiredIntegration,
    Inquiry,
    IntegrationPart,
    IntegrationSettings,
    KeptGrant,
    SealRequest,
    SystemSettings,
)

AT_MS = 1_700_000_000_123
_SYSTEM = SystemSettings("12345678", {"source": "webhooks"}, {"token": b"\x00sealed"}, {"contacts": ("email", "plan")})
_DESCRIBED = DescribedField(
    "contacts", "colour", "Colour", "enumeration", ("red", "green"), True, False, False, True, True
)
_EVENT = DescribedEvent(
    "flow_started", "Flow Started", (DescribedField("flow_started", "flow_name", "Flow", "string"),), ("contacts",)
)
_DESIRED = DesiredIntegration(
    "apply-1", "active", "integration: acme", _SYSTEM, _SYSTEM, AT_MS, "CRM clean-up", state_only=True
)
_SETTINGS = IntegrationSettings(
    connection=2,
    revision=7,
    active_revision=6,
    state="active",
    apply_id="apply-1",
    apply_state="provisioning",
    reason=None,
    document="integration: acme",
    hubspot=_SYSTEM,
    userflow=_SYSTEM,
    create=(_DESCRIBED,),
    events=(_EVENT,),
    pause_reason="CRM clean-up",
)
_CONNECTOR = ConnectorState(
    connection=2,
    described_revision=7,
    provisioned_revision=6,
    status="needs_reconnect",
    reason="expired",
    fields=(_DESCRIBED,),
    grant=b"grant",
    webhook_secret=b"secret",
    events=(_EVENT,),
    types=(DescribedType("2-77", "2-77", "pet"),),
    crawled=("users",),
    whole={"users/people": 7},
    parked=True,
    descriptions=2,
    clock_ahead_ms=-90_000_000,
    denied={"companies.read": "missing_scopes"},
)
_INQUIRY = Inquiry("ask-1", {"contacts": ("email",)}, {"users": ("plan",)}, AT_MS, True)
_DESCRIPTION = Description(
    "ask-1", "unauthorized", (_DESCRIBED,), (_EVENT,), (DescribedType("2-77", "2-77", "pet"),), "missing"
)
INTEGRATION_PART = IntegrationPart(
    "acme",
    desired=_DESIRED,
    settings=_SETTINGS,
    connector=_CONNECTOR,
    inquiry=_INQUIRY,
    description=_DESCRIPTION,
    grant=KeptGrant("12345678", b"grant", ("crm.objects.contacts.read",), "0f", "f0", AT_MS),
    link=ConnectLink("f0", ("crm.objects.contacts.read",), AT_MS, AT_MS + 600_000),
    consent=ConnectAnswer("f0", "wrong_account", "44120018", ("oauth",), AT_MS),
    seals=SealRequest("0a1b", AT_MS),
)
