"""A small part of `make fuzz`, with fixed seeds; and that it would find what it looks for."""

import time
from pathlib import Path

import pytest

from conv_sheet import checks
from conv_sheet.errors import WorkbookError
from conv_sheet.files import atomic_write
from conv_sheet.office import closed
from scripts import fuzz
from scripts.fuzz import Report


def test_faulty_files_do_no_harm() -> None:
    report = fuzz.run(count=15, big=0, kill=1, seed=7)
    assert report.findings == []
    assert sum(report.tried.values()) >= 75
    assert 0 < sum(report.refused.values()) < sum(report.tried.values())


def found(folder: Path) -> str:
    report = Report()
    fuzz.workbooks(report, folder, fuzz.SMALL, count=1, seed=0)
    return "\n".join(report.findings)


def test_a_traceback_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fail(path: Path) -> None:
        raise IndexError("string index out of range")

    monkeypatch.setattr(checks, "check", fail)
    assert "string index out of range" in found(tmp_path)


def test_two_lines_are_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fail(path: Path) -> None:
        raise WorkbookError("")

    monkeypatch.setattr(checks, "check", fail)
    assert "not one line" in found(tmp_path)


def test_a_hang_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(fuzz, "LONGEST_SECONDS", 0.2)
    monkeypatch.setattr(checks, "check", lambda path: time.sleep(5))
    assert "longer than 0.2 s" in found(tmp_path)


def test_a_file_that_a_failed_command_changed_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fail(path: Path, action: object) -> None:
        path.write_bytes(b"half")
        raise WorkbookError("the disk is full")

    monkeypatch.setattr(closed, "press", fail)
    assert "changed by a command that failed" in found(tmp_path)


def test_a_file_that_nothing_reads_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def spoil(path: Path, action: object) -> None:
        with atomic_write(path) as temporary:
            temporary.write_bytes(b"half")

    monkeypatch.setattr(closed, "press", spoil)
    assert "not read after a command that succeeded" in found(tmp_path)
