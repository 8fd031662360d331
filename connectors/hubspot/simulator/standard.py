"""The properties of a new account: a small part of HubSpot's, true to life."""

LIFECYCLE_STAGES = (
    "subscriber",
    "lead",
    "marketingqualifiedlead",
    "salesqualifiedlead",
    "opportunity",
    "customer",
    "evangelist",
    "other",
)
"""Stages in the order in which a record may move."""

OWNER = "hubspot_owner_id"
PIPELINES = {"deals": ("pipeline", "dealstage"), "tickets": ("hs_pipeline", "hs_pipeline_stage")}
"""Type name -> the properties that hold the pipeline and its stage."""

STANDARD_GROUPS = {
    "contacts": "contactinformation",
    "companies": "companyinformation",
    "deals": "dealinformation",
    "tickets": "ticketinformation",
}

STANDARD_PROPERTIES: dict[str, tuple[tuple[str, str, str], ...]] = {
    "contacts": (
        ("email", "string/text", ""),
        ("firstname", "string/text", ""),
        ("lastname", "string/text", ""),
        ("phone", "string/phonenumber", ""),
        ("jobtitle", "string/text", ""),
        ("company", "string/text", ""),
        ("city", "string/text", ""),
        ("country", "string/text", ""),
        ("website", "string/text", ""),
        ("lifecyclestage", "enumeration/radio", "|".join(LIFECYCLE_STAGES)),
        (OWNER, "enumeration/select", "external"),
        ("hs_lead_status", "enumeration/radio", "NEW|OPEN|IN_PROGRESS|OPEN_DEAL|UNQUALIFIED|CONNECTED"),
        ("hs_buying_role", "enumeration/checkbox", "BLOCKER|BUDGET_HOLDER|CHAMPION|DECISION_MAKER|END_USER"),
        ("hs_email_domain", "string/text", "calculated"),
        ("num_associated_deals", "number/number", "calculated"),
        ("num_unique_conversion_events", "number/number", "ro"),
        ("hs_additional_emails", "string/text", "ro"),
        # exists, but contacts use `lastmodifieddate`: a search by this property finds nothing
        ("hs_lastmodifieddate", "datetime/date", "ro"),
    ),
    "companies": (
        ("name", "string/text", ""),
        ("domain", "string/text", ""),
        (
            "industry",
            "enumeration/select",
            "ACCOUNTING|BANKING|COMPUTER_SOFTWARE|CONSTRUCTION|INTERNET|RETAIL",
        ),
        ("city", "string/text", ""),
        ("country", "string/text", ""),
        ("phone", "string/phonenumber", ""),
        ("website", "string/text", ""),
        ("description", "string/textarea", ""),
        ("numberofemployees", "number/number", ""),
        ("annualrevenue", "number/number", ""),
        ("is_public", "bool/booleancheckbox", ""),
        ("lifecyclestage", "enumeration/radio", "|".join(LIFECYCLE_STAGES)),
        (OWNER, "enumeration/select", "external"),
        ("num_associated_contacts", "number/number", "calculated"),
    ),
    "deals": (
        ("dealname", "string/text", ""),
        ("amount", "number/number", ""),
        ("closedate", "datetime/date", ""),
        ("pipeline", "enumeration/select", "default"),
        (
            "dealstage",
            "enumeration/radio",
            "appointmentscheduled|qualifiedtobuy|presentationscheduled|contractsent|closedwon|closedlost",
        ),
        (OWNER, "enumeration/select", "external"),
        ("dealtype", "enumeration/radio", "newbusiness|existingbusiness"),
        ("description", "string/textarea", ""),
        ("hs_is_closed", "bool/booleancheckbox", "calculated"),
    ),
    "tickets": (
        ("subject", "string/text", ""),
        ("content", "string/textarea", ""),
        ("hs_pipeline", "enumeration/select", "0"),
        ("hs_pipeline_stage", "enumeration/radio", "1|2|3|4"),
        ("hs_ticket_priority", "enumeration/select", "LOW|MEDIUM|HIGH|URGENT"),
    ),
}
"""Type name -> rows of (name, type/fieldType, options joined by |, or `ro`, `calculated`, `external`)."""
