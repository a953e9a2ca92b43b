"""bench/run: its pure parts, and one tiny run of the kernel section without any peer."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import pytest

from bench.peers.answer import answer, answer_of
from bench.suite import corpora, report, sections, targets
from bench.suite.cases import Case, Row, Section, Table, disagreements, from_json, measure
from bench.suite.kernels import COMPILED, COUNTER, WC
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
        for system, seconds in ((COMPILED, kernel), (COUNTER, 5.0), (WC, 0.5))
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
    corpora.clean(tmp_path)
    assert not tmp_path.exists()


def test_slow_cases_are_run_less_often_and_failed_ones_once() -> None:
    # Given a fast case, one that takes 31 s, and one that fails
    cases = [
        Case("fast", lambda: Ran(1.0)),
        Case("slow", lambda: Ran(31.0)),
        Case("broken", lambda: Ran(error="no")),
    ]
    # If they are run five times, slow ones twice; expect that
    table = measure("t", cases, 5, 2, quiet)
    assert [len(row.seconds) for row in table.rows] == [5, 2, 0]
    assert table.rows[2].error == "no"


def test_the_answer_that_differs_is_named() -> None:
    # Given three answers, of which one has a word less; expect its system to be named
    right, wrong = answer_of({"a": 2, "b": 1}), answer_of({"a": 2})
    assert answer(2, 3, [("b", 1), ("a", 2)]) == right
    rows = [Row(str(n), 0, 1, 1, [1.0], answer=asdict(right)) for n in range(2)]
    rows.append(Row("odd", 0, 1, 1, [1.0], answer=asdict(wrong)))
    (line,) = disagreements([Table("t", rows)])
    assert line.startswith("t: odd found")


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


def test_targets_are_met_or_missed_or_not_measured() -> None:
    # Given a kernel 20 times as fast as Counter, twice as fast as wc -w
    told = targets.markdown({"kernel": kernel_section(0.25)})
    assert f"faster than {COUNTER}, 100 MB | at least 10 | 20.00, met |" in told
    assert "faster than `wc -w`, 100 MB | at least 1.5 | 2.00, met |" in told
    assert f"{COUNTER}, 10 MB | at least 8 | not measured |" in told
    # Given one that is half as fast as wc -w; expect that to be said
    told = targets.markdown({"kernel": kernel_section(1.0)})
    assert "| at least 1.5 | 0.50, **missed** |" in told


def test_the_kernel_section_runs_without_peers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a synthetic corpus in place of the real one, so that nothing is downloaded
    monkeypatch.setattr(corpora, "VOCABULARY", 1000)
    monkeypatch.setattr(corpora, "DRAWN", 500)

    def small(
        self: sections.Plan, files: int, size: int, kind: str = corpora.REAL
    ) -> corpora.Corpus:
        return corpora.corpus(files, size, quiet, kind=corpora.ZIPF, cache=tmp_path)

    monkeypatch.setattr(sections.Plan, "corpus", small)
    # If it is measured; expect equal answers, a table a corpus, and the cost of folding
    section = sections.run("kernel", sections.Plan(20_000, 1, 1, {}, quiet))
    assert section.wrong == []
    assert len(section.tables) == 4
    shown = report.markdown(section, [])
    assert "| Counter(bytes.split()) | 1 |" in shown
    assert "Folding, plain kernel" in shown
    assert "All answers that are compared are the same." in shown


def test_help_has_an_example_and_wrong_usage_is_told() -> None:
    shown = bench("--help")
    assert shown.returncode == 0
    assert "bench/run --only kernel,end-to-end" in shown.stdout
    refused = bench("--only", "kernle")
    assert refused.returncode == 2
    assert "'kernle': allowed are kernel, end-to-end" in refused.stderr
