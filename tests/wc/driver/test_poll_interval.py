"""How often a driver polls, and since when nothing has changed."""

from wc.crdt.status import NO_DIGEST, JobStatus, OriginStatus
from wc.driver.poll_interval import BACK_OFF, LONGEST, SHORTEST, SLOW_FOLD, PollInterval, StallTimer


def status(applied: int, total: int | None) -> JobStatus:
    origin = OriginStatus(total, 0, 0, applied, 0, applied, 0, 0, 0, 0, NO_DIGEST)
    return JobStatus({"h1": origin}, {}, "")


def test_rests_longer_while_there_is_nothing_new() -> None:
    interval = PollInterval(0.0)
    rests = []
    for now in range(8):
        interval.update(status(0, 10), 0.0, float(now))
        rests.append(interval.seconds)
    assert rests == sorted(rests)
    assert rests[0] > SHORTEST
    assert rests[-1] == LONGEST


def test_where_much_comes_it_gathers_first() -> None:
    interval = PollInterval(0.0)
    interval.update(status(1, 1000), SLOW_FOLD, 10.0)
    assert interval.seconds == BACK_OFF


def test_folding_is_begun_early_enough_to_be_done_before_the_end() -> None:
    interval = PollInterval(0.0)
    interval.update(status(80, 100), 0.3, 2.0)  # half a second is to come
    assert 0.09 < interval.seconds < 0.11
    interval.update(status(90, 100), 0.3, 2.0)
    assert interval.seconds == SHORTEST


def test_the_end_is_seen_at_once() -> None:
    interval = PollInterval(0.0)
    interval.lengthen()
    interval.update(status(50, 100), 0.0, 10.0)
    assert interval.seconds == LONGEST  # ten seconds are to come
    interval.update(status(99, 100), 0.0, 10.0)
    assert SHORTEST < interval.seconds < 0.1  # a tenth of a second is
    interval.update(status(999, 1000), 0.0, 10.0)
    assert interval.seconds == SHORTEST


def test_what_is_counted_here_is_waited_for_elsewhere_impatiently_at_first() -> None:
    interval = PollInterval(0.0)
    interval.lengthen()
    rests = []
    for now in range(9):
        interval.update(status(10, 10), 0.0, float(now))
        rests.append(interval.seconds)
    assert (rests[0], rests[-1]) == (SHORTEST, LONGEST)


def test_a_split_that_does_not_come_is_waited_for_ever_more_calmly() -> None:
    interval = PollInterval(0.0)
    for now in (10.0, 100.0, 1000.0):
        interval.update(status(99, 100), 0.0, now)
    for _ in range(9):
        interval.update(status(99, 100), 0.0, 1000.0)
    assert interval.seconds == LONGEST


def test_a_job_that_is_not_sealed_has_no_end_to_foresee() -> None:
    interval = PollInterval(0.0)
    interval.lengthen()
    interval.update(status(5, None), 0.0, 1.0)
    assert interval.seconds == LONGEST


def test_stillness_begins_anew_with_a_change_and_once_it_was_told() -> None:
    timer = StallTimer(1.0)
    seen = [timer.expired(value, now) for value, now in (("a", 0), ("a", 0.9), ("b", 1.1))]
    assert seen == [False, False, False]
    assert [timer.expired("b", now) for now in (2.0, 2.1, 3.0, 3.2)] == [False, True, False, True]
