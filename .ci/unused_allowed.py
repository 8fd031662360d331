"""Names that vulture finds no use of, each with its reason. A name that is used after all leaves this list."""

# Called by the libraries whose classes are extended.
_.should_exit  # uvicorn reads it
_.capture_signals  # uvicorn
_.redirect_slashes  # starlette reads it
_.getmany  # Faust
_._new_consumer_thread  # Faust
_._fetch_max_wait_ms  # aiokafka reads it
_._add_gap  # Faust
_.offset_from  # an argument that Faust gives `_add_gap`
_.offset_to
_.on_start  # mode
_.spinner  # Faust
_._on_sigint  # Faust
_._on_sigterm  # Faust
_.settings_customise_sources  # pydantic-settings, with these arguments
_.settings_cls
_.env_settings
_.dotenv_settings
_.file_secret_settings
_.model_config  # pydantic

_.keep_alive  # uvicorn
_.extract_cookies  # http.cookiejar, whose jar keeps nothing here
_.add_cookie_header

# Settings that are read by their field's name, all of one kind together.
_.kafka_sasl_mechanism
_.kafka_sasl_username
_.kafka_sasl_password
_.kafka_ssl_ca_location
_.kafka_ssl_key_password

# Fields of records that are there for whoever reads a topic.
_.applied_at_ms
_.asked_at_ms
_.granted_at_ms
_.answered_at_ms
_.last_webhook_at_ms

# Read by the console's templates.
_.may_sync
_.means_ms
_.lost_at
_.thin_ms
_.foot
_.day_percent
_.all_written
_.needs_person
_.waits_for_confirm
_.half_ms
_.late_ms
_.most_ms

# The words of a letter's standing, which a page has to explain.
STANDINGS

# The local installation, and simulators, as tests drive them.
LocalSchemaRegistry
_.expire  # HubSpot's journal
_.clear_faults
_.pid_of

# Called by click and mkdocs.
_.command_class
_.format_epilog
on_page_markdown
on_files
on_config

# Named in the pages' `table:` comments, which docs/hooks.py resolves.
exit_codes
outcomes
conversions

# Fields of seed files, in the vendors' words: pydantic checks them, the simulators read them.
_.fieldType
_.groupName
_.externalOptions
_.hasUniqueValue
_.modificationMetadata
_.objectTypeId
_.primaryDisplayProperty
_.requiredProperties
_.createdAt
_.from_
_.created_at
_.attribute_definitions
_.event_definitions
_.content_versions
_.content_sessions

# Fields of records that are written before they are read.
_.target_external
_.clock_ahead_ms

# Keys of a full sync's report that only scripts read.
_.started_at
_.updated_at
_.finished_at
_.ambiguous

# What only the console's templates read.
_.button
_.danger
_.match_cell
_.events_wait

# OpenTelemetry's SDK asks its source of ids by these names.
_.generate_trace_id
_.generate_span_id
_.is_trace_id_random
