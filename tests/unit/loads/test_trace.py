"""A trace is read whole or refused with the line that is wrong."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seatrial.errors import InputError
from seatrial.loads.trace import read_trace


@pytest.fixture
def written(tmp_path):
    def write(text, name="trace.csv"):
        file = tmp_path / name
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return file

    return write


def test_times_count_from_the_first_request(written):
    trace = read_trace(written("timestamp\n1000.5\n1000.75\n1000.75\n1003\n"))
    assert trace.arrivals_s.tolist() == [0, 0.25, 0.25, 2.5]
    assert trace.input_sizes is None
    assert trace.output_sizes is None
    assert trace.longest_s == 2.5 + 2.25


@pytest.mark.parametrize(
    ("text", "name", "unit"),
    [
        ("timestamp,prompt_tokens,output_tokens\n0,10,3\n\n1.5,20,4\n", "t.csv", "s"),
        ("\ufefftimestamp,prompt_tokens,output_tokens\r\n0,10,3\r\n1.5,20,4\r\n", "t.csv", "s"),
        ("TIMESTAMP,ContextTokens,GeneratedTokens\n"
         "2023-11-16 18:15:46.6805900,10,3\n2023-11-16 18:15:48.1805900,20,4\n", "azure.csv", "s"),
        ("Timestamp,Model,Request tokens,Response tokens,Total tokens\n5,m,10,3,13\n6.5,m,20,4,24\n", "burst.csv", "s"),
        ('{"timestamp": 0, "input_length": 10, "output_length": 3, "hash_ids": [1]}\n\n'
         '{"timestamp": 1500, "input_length": 20, "output_length": 4}\n', "mooncake.jsonl", "ms"),
        ('{"timestamp": "2026-01-01T00:00:00Z", "input_bytes": 10, "output_bytes": 3}\n'
         '{"timestamp": "2026-01-01T01:00:01.5+01:00", "input_bytes": 20.0, "output_bytes": 4}', "zones.jsonl", "s"),
    ],
    ids=["plain", "from a spreadsheet", "azure", "burstgpt", "mooncake", "zones"],
)  # fmt: skip
def test_sizes_and_times_are_found_as_public_traces_name_them(written, text, name, unit):
    trace = read_trace(written(text, name), unit)
    assert trace.arrivals_s == pytest.approx([0, 1.5], abs=1e-6)
    assert trace.input_sizes.tolist() == [10, 20]
    assert trace.output_sizes.tolist() == [3, 4]


@pytest.mark.parametrize(
    ("text", "name", "said"),
    [
        ("timestamp\n1\n3\n2.5\n", "t.csv", r"t.csv, line 4: expected timestamps that ascend, found one 0.5 s before"),
        ("timestamp\n1\n\nsoon\n", "t.csv", r"t.csv, line 4, timestamp: expected seconds or an ISO 8601 .*'soon'"),
        ("timestamp\n1\nnan\n", "t.csv", r"line 3, timestamp: expected seconds .* found 'nan'"),
        ("timestamp,input_bytes\n1,5\n2,\n", "t.csv", r"line 3, input_bytes: expected a whole number .* found nothing"),
        ("timestamp,input_bytes\n1,5\n2,-1\n", "t.csv", r"line 3, input_bytes: expected a whole number .* found '-1'"),
        ("timestamp,input_bytes\n1,5\n2,1.5\n", "t.csv", r"line 3, input_bytes: expected a whole number"),
        ("timestamp,input_bytes\n1,5\n2\n", "t.csv", r"line 3: expected 2 columns as in the header, found 1; mend"),
        ('timestamp\n1\n"2\n', "t.csv", r"line 3: expected CSV, found unexpected end of data"),
        ("time\n1\n2\n", "t.csv", r"t.csv: expected a column timestamp, found \['time'\]"),
        ("timestamp,input_bytes,prompt_tokens\n1,2,3\n2,3,4\n", "t.csv", r"expected one column for the input, found"),
        ("timestamp\n1\n", "t.csv", r"expected a trace of 2 requests or more, found 1"),
        ("timestamp\n", "t.csv", r"expected a trace of 2 requests or more, found none"),
        ("", "t.jsonl", r"expected a trace of 2 requests or more, found none"),
        (b"timestamp\n1\n\xff\n", "t.csv", r"t.csv, line 3: expected a trace in UTF-8, found the byte 0xff"),
        ('{"timestamp": 1}\n{"timestamp": }\n', "t.jsonl", r"t.jsonl, line 2: expected JSON, found"),
        ('{"timestamp": 1}\n[2]\n', "t.jsonl", r"t.jsonl, line 2: expected a JSON object, found \[2\]"),
        ('{"timestamp": 1}\n{"time": 2}\n', "t.jsonl", r"line 2, timestamp: expected seconds .* found nothing"),
        ('{"timestamp": true}\n{"timestamp": 2}\n', "t.jsonl", r"line 1, timestamp: expected seconds .* found True"),
        ("1\n2\n", "t.txt", r"t.txt: expected a trace named .csv or .jsonl, found '.txt'; convert or rename it"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_by_file_and_line(written, text, name, said):
    with pytest.raises(InputError, match=said):
        read_trace(written(text, name))


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match=r"none.csv: expected a trace, found No such file"):
        read_trace(tmp_path / "none.csv")


@settings(max_examples=60, derandomize=True)
@given(st.sampled_from(["t.csv", "t.jsonl"]), st.text(max_size=60) | st.binary(max_size=60))
def test_whatever_is_in_the_file_is_a_trace_or_bad_input(tmp_path_factory, name, content):
    file = tmp_path_factory.mktemp("trace") / name
    header = b"timestamp\n" if name.endswith("csv") else b'{"timestamp": 0}\n'
    file.write_bytes(header + (content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass")))
    try:
        trace = read_trace(file)
    except InputError:
        return
    assert len(trace.arrivals_s) >= 2
    assert (np.diff(trace.arrivals_s) >= 0).all()
