"""bench/run: its pure parts, and one tiny run of the kernel section without any peer."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import pytest

from bench.harness import REPOSITORY
from bench.peers.answer import answer, answer_of
from bench.suite import corpora, growth, plots, report, sections, targets
from bench.suite.cases import BEFORE, Case, Row, Section, Table, disagreements, from_json, measure
from bench.suite.jobs import COUNTED, PUBLISHED
from bench.suite.kernels import COMPILED, COUNTER
from bench.suite.plan import Plan
from bench.suite.sections import CEILING, DUCKDB, ONE
from bench.suite.systems import Ran

RUN = Path(__file__).resolve().parents[2] / "bench" / "run"


def bench(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(RUN), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def quiet(_text: str) -> None:
    pass


def kernel_section(kernel: float) -> Section:
    rows = [
        Row(system, 0, 100_000_000, 1, [seconds])
        for system, seconds in ((COMPILED, kernel), (COUNTER, 5.0))
    ]
    return Section("kernel", 1, [Table("100 MB, real text", rows)], [], [0.0, 0.0], "a day, a box")


def test_whole_leaves_no_part_of_a_character() -> None:
    # Given text of characters of 1 to 4 bytes, cut at every place
    data = "aé€😀b".encode()
    for begin in range(len(data)):
        for end in range(begin, len(data) + 1):
            # Expect what is left to be UTF-8, and at most 3 bytes short at each end
            left = corpora.whole_characters(data[begin:end])
            assert left.decode() in data.decode()
            assert len(left) >= end - begin - 6


def test_a_zipf_corpus_has_the_wanted_files_and_is_found_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a small vocabulary; if a corpus is made twice
    monkeypatch.setattr(corpora, "VOCABULARY", 1000)
    monkeypatch.setattr(corpora, "DRAWN", 500)
    made = corpora.corpus(3, 1000, quiet, kind=corpora.ZIPF, cache=tmp_path)
    again = corpora.corpus(3, 1000, pytest.fail, kind=corpora.ZIPF, cache=tmp_path)
    # Expect the same one, of the wanted sizes, with one word more frequent than others
    assert made == again
    assert [path.stat().st_size for path in made.paths()] == [1000] * 3
    counts = Counter(b"".join(path.read_bytes() for path in made.paths()).split())
    assert counts.most_common(1)[0][1] > len(counts) / 20
    with pytest.raises(corpora.NoRoom, match="bytes of text"):
        corpora.corpus(1, 10**18, quiet, kind=corpora.ZIPF, cache=tmp_path)
    corpora.clean(tmp_path)
    assert not tmp_path.exists()


def test_slow_cases_are_run_less_often_and_failed_ones_once() -> None:
    # Given a fast case, one that takes 31 s, one that is to be run seldom, and one that fails
    cases = [
        Case("fast", lambda: Ran(1.0)),
        Case("slow", lambda: Ran(31.0)),
        Case("seldom", lambda: Ran(1.0), seldom=True),
        Case("broken", lambda: Ran(error="no")),
    ]
    # If they are run five times, slow ones twice; expect that
    table = measure("t", cases, 5, 2, quiet)
    assert [len(row.seconds) for row in table.rows] == [5, 2, 2, 0]
    assert table.rows[3].error == "no"


def test_the_answer_that_differs_is_named() -> None:
    # Given three answers, of which one has a word less; expect its system to be named
    right, wrong = answer_of({"a": 2, "b": 1}), answer_of({"a": 2})
    assert answer(2, 3, [("b", 1), ("a", 2)]) == right
    rows = [Row(str(n), 0, 1, 1, [1.0], answer=asdict(right)) for n in range(2)]
    rows.append(Row("odd", 0, 1, 1, [1.0], answer=asdict(wrong)))
    (line,) = disagreements([Table("t", rows)])
    assert line.startswith("t: odd found")
    # Given texts of the same bytes but other words; expect each to be compared with its own alone
    rows = [
        Row("x", at, 1, 1, [1.0], answer=asdict(found)) for at, found in ((1, right), (2, wrong))
    ]
    assert disagreements([Table("t", rows)]) == []


def test_a_section_takes_its_own_place_in_the_page_only() -> None:
    # Given a page with two sections; if one is written again, and a third
    page = report.insert(report.insert("# Page\n", "kernel", "old"), "memory", "kept")
    page = report.insert(report.insert(page, "kernel", "new"), "workers", "more")
    # Expect one to be replaced, one kept, one added
    assert page == (
        "# Page\n\n<!-- bench/run kernel -->\n\nnew\n\n<!-- end -->\n\n"
        "<!-- bench/run memory -->\n\nkept\n\n<!-- end -->\n\n"
        "<!-- bench/run workers -->\n\nmore\n\n<!-- end -->\n"
    )


def test_kept_results_come_back_as_they_were() -> None:
    section = kernel_section(0.25)
    assert from_json(json.loads(json.dumps(asdict(section)))) == section


def test_a_text_of_equal_words_has_all_of_them_equally_often(tmp_path: Path) -> None:
    # Given text of 1,000 distinct words, in files in which each fits five times
    made = corpora.corpus(2, 40_000, quiet, kind=corpora.EQUAL, words=1000, cache=tmp_path)
    # If it is counted; expect each of them ten times, and no word that was cut
    counts = Counter(b"".join(path.read_bytes() for path in made.paths()).split())
    assert len(counts) == 1000
    assert set(counts.values()) == {10}
    # Expect one of other words to be another
    other = corpora.corpus(2, 40_000, quiet, kind=corpora.EQUAL, words=10, cache=tmp_path)
    assert other.folder != made.folder


def test_targets_are_met_or_missed_or_not_measured() -> None:
    # Given a kernel 20 times as fast as Counter
    told = targets.markdown({"kernel": kernel_section(0.25)})
    assert f"| 100 MB, {COMPILED}: times as fast as {COUNTER} | at least 8 | 20.00, met |" in told
    assert "| at least 1 | not measured |" in told
    assert "the code before" not in told
    # Given one that is five times as fast; expect that to be said
    told = targets.markdown({"kernel": kernel_section(1.0)})
    assert "| at least 8 | 5.00, **missed** |" in told


def test_an_older_checkout_is_compared_at_each_moment() -> None:
    # Given jobs of 1 GB of two checkouts, and a peer
    rows = [
        Row(system, 0, 10**9, 100, [seconds], more={COUNTED: [counted]} if counted else {})
        for system, seconds, counted in (
            (ONE, 3.0, 2.4),
            (f"{BEFORE}{ONE}", 8.0, 2.0),
            (DUCKDB, 5.4, 0.0),
        )
    ]
    section = Section("end-to-end", 1, [Table("1 GB", rows)], [], [0.0, 0.0], "a day, a box")
    told = targets.markdown({"end-to-end": section})
    # Expect its bound to be missed, those of the peer to be met, and both checkouts side by side
    assert f"{ONE}: counted to that of {BEFORE}{ONE} | at most 1.1 | 1.20, **missed** |" in told
    assert "| at least 1.4 | 1.80, met; aim of 2 not met |" in told
    assert f"| 1 GB: {ONE} | 8 | 3 | 0.38 |" in told
    assert f"| 1 GB: {ONE}: counted | 2 | 2.4 | 1.20 |" in told


def test_the_parts_of_the_whole_command_are_told() -> None:
    # Given a job and two peers; if its parts are wanted, expect them to add up to the command
    job = Row(ONE, 0, 1, 1, [3.1], more={COUNTED: [2.0], PUBLISHED: [2.25]})
    rows = [job, Row(DUCKDB, 0, 1, 1, [5.0]), Row(CEILING, 0, 1, 1, [1.9])]
    told = sections.parts(Table("t", rows))
    assert told[0].startswith(
        f"{ONE}: 2.00 s until all was counted, 0.25 s of publishing, 0.85 s before the job"
    )
    assert (
        told[1]
        == f"Twice as fast as {DUCKDB} is 2.50 s; counting alone, by {CEILING}, takes 1.90 s"
    )


def sweep() -> Table:
    """Time as the square root of the bytes; memory and what is left in Redis as they."""
    rows = [
        Row("x", at, 1, 1, [at**0.5], memory=[10 * at], redis=[at]) for at in (100, 1000, 10_000)
    ]
    return Table("total bytes", rows, "MB of text")


def test_slopes_are_told_in_words() -> None:
    (told,) = growth.slopes(sweep())
    assert told == (
        "total bytes, x: 10 times the MB of text, from 1,000 to 10,000, take 3.16 times as long "
        "(exponent 0.50), need 10.00 times the memory (exponent 1.00), leave 10.00 times as much "
        "in Redis (exponent 1.00). Over all, from 100 to 10,000, the exponents are "
        "0.50, 1.00, 1.00."
    )
    # Given a single size; expect nothing to be said
    assert growth.slopes(Table("t", sweep().rows[:1], "MB")) == []


def test_what_does_not_fit_is_refused_before_it_is_made() -> None:
    # Given more text than memory, and more words than text; if it is wanted, expect a reason
    plan = Plan(10**6, 1, 1, {}, quiet)
    with pytest.raises(corpora.NoRoom, match="of memory in all"):
        growth.text(plan, growth.Point(1, 10**6, 10**9))
    with pytest.raises(corpora.NoRoom, match="they need 400 MB of text"):
        growth.text(plan, growth.Point(1, 1, 10**6, 10**7))


def test_a_sweep_is_drawn_and_its_memory_is_in_the_table(tmp_path: Path) -> None:
    section = Section("growth", 1, [sweep()], [], [0.0, 0.0], "a day, a box")
    assert "| memory, MB | Redis after, MB |" in report.markdown(section, [])
    if plots.available():
        assert plots.draw(section, tmp_path) == ["growth.svg"]
        assert "left in Redis" in (tmp_path / "growth.svg").read_text()


def test_the_kernel_section_runs_without_peers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a synthetic corpus in place of the real one, so that nothing is downloaded
    monkeypatch.setattr(corpora, "VOCABULARY", 1000)
    monkeypatch.setattr(corpora, "DRAWN", 500)

    def small(self: Plan, files: int, size: int, kind: str = corpora.REAL) -> corpora.Corpus:
        return corpora.corpus(files, size, quiet, kind=corpora.ZIPF, cache=tmp_path)

    monkeypatch.setattr(Plan, "corpus", small)
    # If it is measured, with a checkout as an older one
    # Expect equal answers, a table a corpus, and the cost of folding, of both
    section = sections.run("kernel", Plan(20_000, 1, 1, {}, quiet, REPOSITORY))
    assert section.wrong == []
    assert [row.error for table in section.tables for row in table.rows if row.error] == []
    assert len(section.tables) == 5
    assert "folding: plain kernel |" in targets.markdown({"kernel": section})
    shown = report.markdown(section, [])
    assert "| Counter(bytes.split()) | 1 |" in shown
    assert "Folding, plain kernel" in shown
    assert "All answers that are compared are the same." in shown


def test_help_has_an_example_and_wrong_usage_is_told() -> None:
    shown = bench("--help")
    assert shown.returncode == 0
    assert "bench/run --before" in shown.stdout
    refused = bench("--only", "kernle")
    assert refused.returncode == 2
    assert "'kernle': allowed are end-to-end, kernel" in refused.stderr
    refused = bench("--before", str(RUN.parent))
    assert refused.returncode == 2
    assert "no checkout of this project" in refused.stderr
