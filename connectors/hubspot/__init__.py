"""The HubSpot connector: the only folder that knows HubSpot."""
