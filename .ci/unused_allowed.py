"""Names that vulture finds no use of, each with its reason. A name that is used after all leaves this list."""

# HubSpot's consent page: the grant in the browser calls them.
authorize_url
exchange_code
introspect_token

# Called by the libraries whose classes are extended.
_.should_exit  # uvicorn reads it
_.capture_signals  # uvicorn
_.getmany  # Faust
_._add_gap  # Faust
_.offset_from  # an argument that Faust gives `_add_gap`
_.offset_to
_.on_start  # mode
_.settings_customise_sources  # pydantic-settings, with these arguments
_.settings_cls
_.env_settings
_.dotenv_settings
_.file_secret_settings
_.model_config  # pydantic

# Settings that are read by their field's name, all of one kind together.
_.kafka_sasl_mechanism
_.kafka_sasl_username
_.kafka_sasl_password
_.kafka_ssl_ca_location
_.kafka_ssl_key_password

# Fields of records that are there for whoever reads a topic.
_.applied_at_ms
_.asked_at_ms

# The full sync that is due by the clock reads it.
_.full_sync_interval_s

# The page of reasons is made from it.
MEANING

# The local installation as tests drive it.
LocalSchemaRegistry
_.clear_faults
_.pid_of
