"""The abuse matrix: each row, and the tests that show it, wherever they live.

`path::name` is a test; what it does is in its own docstring. A row whose list is empty is not shown yet.
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

MATRIX: dict[int, tuple[str, ...]] = {
    1: (),
    2: (),
    3: (),
    4: (),
    5: (),
    6: (),
    7: (),
    8: (),
    9: (),
    10: (),
    11: (),
    12: (),
    13: (),
    14: (),
    15: (),
    16: (),
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
    42: (),
    43: (),
    44: (),
    45: (),
    46: (
        f"{_EVENTS}::test_row_46_series_are_bounded",
        "tests/e2e/test_metrics_pages.py::test_no_sender_makes_time_series",
    ),
    47: (),
    48: (),
    49: ("tests/abuse/test_row_49_fuzz.py::test_row_49_no_request_breaks_anything",),
}
