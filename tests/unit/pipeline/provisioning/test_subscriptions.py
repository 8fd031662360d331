"""The webhook subscriptions that a file's mappings need."""

from pipeline.provisioning.subscriptions import subscriptions
from tests.unit.pipeline.integration_file.files import GOOD, HEAD, loaded


def test_sources_match_fields_and_targets_of_every_type() -> None:
    file = loaded(GOOD + "      - company.name\n    to_hubspot: [plan]\n")
    assert list(map(str, subscriptions(file))) == [
        "contacts: creation, deletion, merge, restore, privacyDeletion, associationChange, "
        "propertyChange of email, jobtitle, userflow_user_plan",
        "companies: creation, deletion, merge, restore, propertyChange of name",
    ]


def test_an_object_s_own_id_never_changes() -> None:
    mapping = "mappings:\n  - name: pets\n    hubspot: 2-77\n    userflow: companies\n"
    file = loaded(HEAD + mapping + "    match: {hubspot: hs_object_id, userflow: id}\n    to_hubspot: [id]\n")
    assert list(map(str, subscriptions(file))) == [
        "2-77: creation, deletion, restore, propertyChange of userflow_company_id"
    ]
