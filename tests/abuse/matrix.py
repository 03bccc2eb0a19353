"""The abuse matrix: each row, and the tests that show it, wherever they live.

`path::name` is a test; what it does is in its own docstring.
"""

__all__ = ["MATRIX"]

_HTTP = "tests/contract/test_functions.py"
_EMIT = "tests/contract/test_emit_input.py::test_bad_input"
_POISON = "tests/e2e/test_a4_bad_input.py::test_poison_is_dead_lettered_exactly"
_EVENTS = "tests/abuse/test_rows_23_37_events.py"
_SLOW = "tests/abuse/test_row_24_slow.py"
_SMUGGLING = "tests/abuse/test_row_25_smuggling.py"
_ORDERS = "tests/integration/roles/test_replay_orders.py"
_RECOVERY = "tests/integration/roles/test_recovery.py"
_SIGNALS = "tests/integration/store/test_signals.py"
_ENTRY = "tests/contract/test_access.py"
_FORGED = f"{_ENTRY}::test_a_forged_token_is_refused"
_TOKENS = "tests/unit/security/test_tokens.py"
_AUTH = "tests/integration/roles/test_auth_events.py"
_ACCESS = "tests/integration/store/test_access.py"
_LIMITS = "tests/integration/security"
_SECURED = "tests/e2e/test_secured.py"

MATRIX: dict[int, tuple[str, ...]] = {
    1: (
        _FORGED,
        f"{_ENTRY}::test_a_wrong_key_is_refused",
        f"{_ENTRY}::test_every_route_of_every_function_asks_for_a_credential",
        f"{_SECURED}::test_a_function_refuses_a_call_without_a_credential",
    ),
    2: (_FORGED,),
    3: (_FORGED,),
    4: (_FORGED, "tests/unit/security/test_keys.py::test_an_unknown_key_id_reads_the_keys_again_once_a_second"),
    5: (_FORGED, f"{_SMUGGLING}::test_row_25_ambiguous"),
    6: (_FORGED, f"{_TOKENS}::test_every_claim_is_needed"),
    7: (_FORGED, f"{_ENTRY}::test_a_token_with_our_audience_among_others_is_taken"),
    8: (
        f"{_AUTH}::test_a_login_is_recorded_from_beginning_to_end",
        f"{_ACCESS}::test_a_login_goes_on_until_it_ends",
        f"{_ACCESS}::test_a_revoked_login_does_not_come_back",
        "tests/unit/security/test_keys.py::test_a_key_that_was_taken_away_is_forgotten",
        "tests/unit/serving/test_directory.py::test_a_revocation_holds_at_once",
        "tests/e2e/test_access.py::test_a_logged_out_token_opens_nothing",
    ),
    9: (f"{_AUTH}::test_a_reused_token_is_recorded_once", f"{_AUTH}::test_a_refused_renewal_is_not_reuse"),
    10: (
        f"{_AUTH}::test_parallel_refreshes_leave_one_successor",
        "tests/integration/roles/test_auth.py::test_refreshing_at_once",
    ),
    11: (
        f"{_ENTRY}::test_a_wrong_key_is_refused",
        f"{_ENTRY}::test_a_key_in_the_query_string_is_not_looked_at",
        f"{_ACCESS}::test_a_key_is_found_by_its_hash",
        f"{_ACCESS}::test_keys_that_are_not_good",
        f"{_ACCESS}::test_a_revoked_key_is_refused_at_once",
        "tests/e2e/test_access.py::test_a_key_of_an_operator_works_until_it_is_revoked",
    ),
    12: (f"{_ENTRY}::test_a_token_without_the_scope_may_not",),
    13: (f"{_ORDERS}::test_another_persons_job_is_unknown",),
    14: (
        f"{_AUTH}::test_brute_force_behind_spoofed_addresses",
        f"{_AUTH}::test_brute_force_from_many_addresses",
        f"{_AUTH}::test_failed_logins_are_recorded_and_look_alike",
        f"{_AUTH}::test_without_redis_nobody_logs_in",
        f"{_LIMITS}/test_login_limits.py::test_invented_addresses_do_not_help",
    ),
    15: (
        f"{_ENTRY}::test_beyond_the_limit_a_caller_is_told_when_to_come_back",
        f"{_LIMITS}/test_limits_across_processes.py::test_processes_together_keep_the_rate",
        f"{_LIMITS}/test_limits_across_processes.py::test_retry_after_holds_for_another_process",
    ),
    16: (
        f"{_LIMITS}/test_limiter_memory.py::test_a_process_remembers_so_many_and_no_more",
        f"{_LIMITS}/test_limiter_memory.py::test_redis_keeps_within_its_memory_and_forgets",
    ),
    17: (f"{_HTTP}::test_wrong_methods",),
    18: (f"{_HTTP}::test_other_content", _EMIT),
    19: (_EMIT, _POISON),
    20: (_EMIT, _POISON, "tests/unit/events/test_json_guard.py::test_masses_of_values"),
    21: ("tests/abuse/test_row_21_costs.py::test_row_21_what_it_costs", f"{_HTTP}::test_compressed_bodies"),
    22: (
        f"{_HTTP}::test_a_body_over_the_limit_by_its_length",
        f"{_HTTP}::test_a_body_over_the_limit_in_parts",
        f"{_SLOW}::test_row_22_a_client_that_is_still_sending_reads_the_answer",
        f"{_SLOW}::test_row_22_a_refused_body_is_not_read_for_ever",
    ),
    23: (f"{_EVENTS}::test_row_23_the_largest_signals",),
    24: (
        f"{_SLOW}::test_row_24_a_head_that_does_not_end",
        f"{_SLOW}::test_row_24_a_client_that_says_nothing",
        f"{_SLOW}::test_row_24_a_body_that_does_not_come",
        f"{_SLOW}::test_row_24_slow_bodies_keep_nobody_out",
        f"{_SLOW}::test_row_24_many_connections",
    ),
    25: (f"{_SMUGGLING}::test_row_25_ambiguous", f"{_HTTP}::test_ambiguous_requests_are_refused"),
    26: (f"{_EVENTS}::test_row_26_envelopes",),
    27: (
        f"{_EVENTS}::test_row_27_the_same_event_in_each_mode",
        f"{_EVENTS}::test_row_27_headers_beside_an_envelope",
        f"{_EVENTS}::test_row_27_a_batch_that_is_too_long",
    ),
    28: (
        f"{_EVENTS}::test_row_28_text_that_cannot_be_stored",
        f"{_EVENTS}::test_row_28_invalid_utf_8",
        f"{_EVENTS}::test_row_28_an_escaped_escape",
        _POISON,
    ),
    29: (f"{_EVENTS}::test_row_29_long_texts",),
    30: (f"{_EVENTS}::test_row_30_times_that_are_none",),
    31: (
        f"{_EVENTS}::test_row_31_repetition",
        "tests/e2e/test_a3_repetition.py::test_repeated_signal_has_its_effect_once",
    ),
    32: (f"{_EVENTS}::test_row_32_another_body", f"{_SIGNALS}::test_what_does_not_replace_the_row"),
    33: (
        f"{_EVENTS}::test_row_33_an_id_of_another_source",
        "tests/e2e/test_a3_repetition.py::test_same_id_under_two_sources",
    ),
    34: (f"{_EVENTS}::test_row_34_texts_that_look_dangerous",),
    35: (
        f"{_EVENTS}::test_row_35_log_lines_cannot_be_forged",
        "tests/unit/observability/test_logs.py::test_a_line_obeys_nobody",
    ),
    36: (f"{_EVENTS}::test_row_36_trace_context_that_is_none", f"{_HTTP}::test_otherwise_one_is_made"),
    37: (f"{_EVENTS}::test_row_37_fields_that_are_ours",),
    38: ("tests/abuse/test_rows_38_41_replay.py::test_row_38_a_target_is_never_an_address",),
    39: (
        "tests/abuse/test_rows_38_41_replay.py::test_row_39_orders_out_of_range",
        f"{_ORDERS}::test_malformed_orders_are_refused",
        f"{_ORDERS}::test_sql_in_a_filter_is_a_value",
        f"{_ORDERS}::test_dry_run_changes_nothing",
    ),
    40: (f"{_ORDERS}::test_same_key_is_the_same_job", f"{_ORDERS}::test_same_key_at_once_is_one_job"),
    41: (
        "tests/abuse/test_rows_38_41_replay.py::test_row_41_forged_metadata_is_clamped",
        "tests/abuse/test_rows_38_41_replay.py::test_row_41_a_forged_topic_is_never_written_to",
        f"{_RECOVERY}::test_forged_origin_is_not_believed",
        "tests/unit/events/test_dead_letter.py::test_forged_metadata_never_fails",
    ),
    42: (
        f"{_SECURED}::test_a_stranger_does_not_reach_the_broker",
        f"{_SECURED}::test_a_part_cannot_write_to_a_topic_that_is_not_its_own",
    ),
    43: (
        "tests/integration/store/test_roles.py::test_a_role_may_not",
        f"{_SECURED}::test_each_part_is_itself_in_the_database",
    ),
    44: (
        "tests/unit/security/test_production.py::test_a_weak_secret_is_refused_by_name_and_never_shown",
        "tests/unit/security/test_production.py::test_careless_settings_are_refused_by_name",
    ),
    45: (
        f"{_ENTRY}::test_a_stranger_learns_nothing_from_the_probes",
        f"{_ENTRY}::test_every_route_of_every_function_asks_for_a_credential",
        "tests/unit/supply/test_gateway.py::test_what_is_internal_is_not_routed",
    ),
    46: (
        f"{_EVENTS}::test_row_46_series_are_bounded",
        "tests/e2e/test_metrics_pages.py::test_no_sender_makes_time_series",
    ),
    47: (
        "tests/e2e/test_canary.py::test_no_credential_turns_up_anywhere",
        "tests/e2e/test_logs.py::test_no_log_holds_data_keys_or_passwords",
        f"{_SECURED}::test_no_secret_stands_where_others_look",
    ),
    48: (
        "tests/unit/supply/test_locks.py::test_an_altered_hash_stops_the_installation",
        "tests/unit/supply/test_locks.py::test_each_requirement_is_one_version_with_hashes",
        "tests/unit/supply/test_images.py::test_every_image_is_pinned_by_digest",
    ),
    49: (
        "tests/abuse/test_row_49_fuzz.py::test_row_49_no_request_breaks_anything",
        "tests/abuse/test_row_49_schemathesis.py::test_row_49_every_answer_is_as_its_document_says",
    ),
}
