"""`seatrial verify` runs no program that a record brings, unless a file of the user's own has the same text."""

import pytest
import yaml
from click.testing import CliRunner

from seatrial.cli.verify import verify
from seatrial.contract import read_contract
from seatrial.errors import InputError
from seatrial.record import RecordWriter, RunHeader
from seatrial.record.header import contract_text
from seatrial.verdict import passed

# Leaves a trace of itself wherever it is loaded.
ADAPTER = """
from pathlib import Path

from seatrial.traffic.plan import Exchange

Path({trace!r}).write_text("ran")


class Adapter:
    generates = True
    readers = {{"mine": list}}

    @classmethod
    def of(cls, settings):
        return cls()

    def exchange(self, case, given, expect=None, tolerance=0.0):
        return Exchange(case, "GET", "/", expect=expect, api="mine")
"""

CHECKS = '''"""The requests of the contract can be written."""
from seatrial.contract import Api, Contract, StreamingApi
from seatrial.suite import check
from seatrial.trials.workload import cases, long_stream
from seatrial.verdict import Verdict, passed

@check("X1", level="MUST")
def requests_can_be_written(contract: Contract) -> Verdict:
    return passed("requests", f"{len(cases(contract))}", n=len(cases(contract)))

@check("X2", level="MUST")
def cases_are_many(api: Api) -> Verdict:
    return passed("cases", f"{len(api.cases)}", n=len(api.cases))

@check("X3", level="MUST")
def streams_can_be_read(streamed: StreamingApi) -> Verdict:
    return passed("streams", long_stream(streamed).case, n=1)
'''
CASES = [{"request": n, "equals": f"{n}"} for n in range(16)]
LONG = {"request": "{seconds}", "equals": "at length"}
CHAT = {
    "kind": "openai-chat",
    "model": "m",
    "streaming": True,
    "long": LONG,
    "cases": [{"request": f"Say {n}", "equals": f"{n}"} for n in range(16)],
}


@pytest.fixture
def trace(tmp_path):
    """What the adapter writes where it is run."""
    return tmp_path / "trace"


@pytest.fixture
def adapter(tmp_path, trace):
    file = tmp_path / "mine.py"
    file.write_text(ADAPTER.format(trace=str(trace)))
    return file


@pytest.fixture
def verified(tmp_path, adapter):
    """The command, on the record of a run whose contract names the adapter, and has an API that streams beside it."""
    return verifying(tmp_path, {"a": {"adapter": adapter.name, "cases": CASES}, "chat": CHAT})


def verifying(tmp_path, apis):
    contract = {"apiVersion": "seatrial/v1", "name": "mine", "apis": apis}
    (tmp_path / "contract.yaml").write_text(yaml.safe_dump(contract))
    (tmp_path / "checks").mkdir()
    (tmp_path / "checks" / "written.py").write_text(CHECKS)
    text = contract_text(read_contract(tmp_path))
    header = RunHeader("run-1", "2026-01-01T00:00:00+00:00", "0.1.0", "local", "preflight", "mine", "ab", text)
    record = RecordWriter.create(tmp_path / "runs", header)
    for id, title, found, n in (
        ("X1", "requests", "16", 16),
        ("X2", "cases", "16", 16),
        ("X3", "streams", "long-4", 1),
    ):
        record.add_verdict(id, "MUST", title, passed(title, found, n=n), ())
    record.finish(0)
    command = [str(record.folder), "--conformance", str(tmp_path / "checks")]
    return lambda *arguments: CliRunner().invoke(verify, [*command, *map(str, arguments)], standalone_mode=False)


def test_a_strangers_adapter_is_not_run(verified, adapter, trace):
    result = verified()
    assert not trace.exists()
    assert result.return_value == 2
    assert f"X1: not judged again: it may run the program that the record brings as apis.a.adapter ({adapter})" in (
        result.output
    )
    assert "2 verdicts judged again as recorded, 0 otherwise" in result.output


def test_an_adapter_of_the_api_that_streams_is_not_run_for_a_check_of_streams(tmp_path, adapter, trace):
    apis = {"a": {"adapter": adapter.name, "cases": CASES, "long": LONG, "streaming": True}, "chat": CHAT}
    result = verifying(tmp_path, apis)()
    assert not trace.exists()
    for id in ("X1", "X3"):
        assert f"{id}: not judged again: it may run the program that the record brings as apis.a.adapter" in (
            result.output
        )
    assert "1 verdict judged again as recorded, 0 otherwise" in result.output


def test_an_adapter_that_the_user_has_too_is_run(verified, adapter, trace):
    result = verified("--adapter", adapter)
    assert (result.return_value, trace.exists()) == (0, True)
    assert "3 verdicts judged again as recorded, 0 otherwise" in result.output


def test_a_file_with_another_text_vouches_for_nothing(verified, adapter, trace):
    adapter.write_text(adapter.read_text() + "\n")
    result = verified("--adapter", adapter)
    assert isinstance(result.exception, InputError)
    assert "mine.py: expected the text of an adapter in" in str(result.exception)
    assert not trace.exists()
