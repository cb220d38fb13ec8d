"""Messages are written for people: nothing in them is a program's way to tell one error from another."""

import errno
import os

import httpx
import pytest
from click.testing import CliRunner

from seatrial.cli.report import report
from seatrial.cli.verify import verify
from seatrial.errors import InputError, in_words


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), "/a/b"), "No such file or directory: /a/b"),
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), "No space left on device"),
        (httpx.ConnectError("[Errno 111] Connection refused"), "Connection refused"),
        (KeyError("files"), "no files"),
        (ValueError("Expecting value: line 1 column 1 (char 0)"), "Expecting value: line 1 column 1 (char 0)"),
        (TimeoutError(), "TimeoutError"),
    ],
)
def test_an_error_is_told_in_words(error, said):
    assert in_words(error) == said


@pytest.mark.parametrize("command", [report, verify])
def test_a_folder_that_is_no_record_is_told_in_words(tmp_path, command):
    with pytest.raises(InputError) as refused:
        CliRunner().invoke(command, [str(tmp_path)], standalone_mode=False, catch_exceptions=False)
    assert (
        f"expected the manifest of a run record, found No such file or directory: {tmp_path}/manifest.json; name"
        in str(refused.value)
    )
    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(InputError, match="expected the manifest of a run record, found no files; name"):
        CliRunner().invoke(command, [str(tmp_path)], standalone_mode=False, catch_exceptions=False)
