"""The run record: every observation and verdict of one run in one folder, readable at any moment.

    record.json          what runs, where, since when and with which versions
    end.json             finished, interrupted or refused, when and with which exit status; absent while it runs
    contract.yaml        the contract as it was read
    trials/<trial>/      observation.json, its ledgers (.npz) and timelines (.jsonl), texts such as manifests.yaml;
                         or failure.json where the trial saw nothing; first-try.json where it was run twice
    verdicts.jsonl       one line a verdict, appended as they come
    verdicts.json        all verdicts, sorted and without times: judged again, it is equal byte for byte
    manifest.json        size and SHA-256 of every file above

Each file is written whole and renamed into place, the manifest after it, and once: only record.json is written again
when the cluster is up, with its version, and verdicts.jsonl grows. So a
killed run leaves at most a torn last line there and files that the manifest does not list yet; both are told apart
from damage.
"""

from seatrial.record.codec import observation_from_files, observation_to_files
from seatrial.record.files import Damage
from seatrial.record.first_try import FirstTry
from seatrial.record.header import Asked, RunHeader
from seatrial.record.reader import RunRecord
from seatrial.record.summary import Summary, summarise
from seatrial.record.verdicts import VerdictEntry, canonical
from seatrial.record.writer import RecordWriter, new_run_id, utc_now

__all__ = [
    "Asked",
    "Damage",
    "FirstTry",
    "RecordWriter",
    "RunHeader",
    "RunRecord",
    "Summary",
    "VerdictEntry",
    "canonical",
    "new_run_id",
    "observation_from_files",
    "observation_to_files",
    "summarise",
    "utc_now",
]
