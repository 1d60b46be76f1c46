"""Every trap of the client libraries that we know of, and the test that holds it.

The tests stand in files by what goes wrong; this list fails when one of them goes away.
"""

import ast

import pytest

from deploy.local.artifacts import REPOSITORY

BUS = "tests/kit/bus/"
TRAPS = {
    "a handler that raises is swallowed": BUS
    + "test_traps_losing.py::test_a_handler_that_raises_loses_its_batch",
    "a decoder raises on one value": BUS
    + "test_traps_losing.py::test_one_bad_value_loses_its_whole_batch",
    "one null header": BUS + "test_traps_losing.py::test_one_null_header_loses_its_whole_batch",
    "topics created by reading": BUS
    + "test_traps_sending.py::test_reading_creates_topics_although_the_broker_forbids_it",
    "a rebalance during a batch": BUS
    + "test_traps_rebalancing.py::test_a_rebalance_in_the_middle_of_a_batch_repeats_it",
    "a pause is forgotten on rebalance": BUS
    + "test_traps_rebalancing.py::test_a_pause_is_forgotten_with_a_rebalance",
    "static membership; kill -9 in the middle of a batch": BUS
    + "test_traps_rebalancing.py::test_a_reader_killed_in_the_middle_of_a_batch_loses_nothing",
    "stop waits, then cancels": BUS
    + "test_traps_losing.py::test_a_stop_leaves_its_cancelled_batch_running",
    "compression and the producer's defaults": BUS
    + "test_traps_sending.py::test_the_producer_promises_nothing_by_default",
    "headers as CloudEvents' library wants them": "tests/contracts/test_records.py"
    "::test_the_library_of_cloudevents_reads_what_we_write",
    "the default acknowledges first": BUS
    + "test_traps_losing.py::test_the_default_acknowledges_first_so_a_crash_loses",
    "ACK and REJECT_ON_ERROR": BUS
    + "test_traps_losing.py::test_ack_and_reject_on_error_commit_after_an_exception",
    "NACK_ON_ERROR": BUS + "test_traps_losing.py::test_nack_on_error_repeats_a_poison_record_hot",
    "an acknowledgement commits all positions": BUS
    + "test_traps_losing.py::test_an_ack_commits_everything_before_it",
    "the empty poll is slept again": BUS
    + "test_traps_rebalancing.py::test_the_empty_poll_is_slept_again",
    "a failed commit is only logged": BUS
    + "test_traps_rebalancing.py::test_a_failed_commit_is_only_a_line_in_the_log",
    "concurrent workers": BUS
    + "test_traps_rebalancing.py::test_concurrent_workers_break_the_order_of_a_key",
    "group protocol, timeouts, logging and validation per message": BUS
    + "test_traps_unused.py::test_the_reader_is_set_up_against_the_traps",
    "one batch, many tenants": "tests/kit/inbox/test_once.py"
    "::test_one_batch_holds_many_tenants_and_a_unit_sees_its_own",
    "transactions, AsyncAPI, telemetry, ping, stock instrumentation": BUS
    + "test_traps_unused.py::test_it_is_not_used",
}


@pytest.mark.parametrize("trap", TRAPS)
def test_a_trap_has_its_test(trap: str) -> None:
    file, _, name = TRAPS[trap].partition("::")
    tree = ast.parse((REPOSITORY / file).read_text(encoding="utf-8"))
    tests = {n.name for n in tree.body if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)}
    assert name in tests
