"""Of a Secret that is watched or rendered, a record gets the keys and no value, wherever the value stands."""

import pytest

from seatrial.clock import RunClock
from seatrial.watch.api import Api
from seatrial.watch.secrets import LAST_APPLIED, without_values
from seatrial.watch.watcher import Watcher

SECRET = {
    "metadata": {"name": "keys", "annotations": {LAST_APPLIED: "aHVudGVyMg==", "kept": "yes"}},
    "type": "Opaque",
    "data": {"password": "aHVudGVyMg=="},
    "stringData": {"token": "aHVudGVyMg=="},
}


def test_a_secret_keeps_its_keys_alone():
    kept = without_values(SECRET)
    assert "aHVudGVyMg==" not in str(kept)
    assert (set(kept["data"]), set(kept["stringData"]), kept["type"]) == ({"password"}, {"token"}, "Opaque")
    assert kept["metadata"]["annotations"] == {"kept": "yes"}


@pytest.mark.parametrize("kind", ["Secret", "ConfigMap"])
def test_the_watch_keeps_no_value_of_a_secret(kind):
    watcher = Watcher(Api("http://nowhere", {}, True, None), "ns", RunClock.start(), {})
    watcher._keep(kind, "ADDED", SECRET)
    (change,) = watcher.changes()
    assert ("aHVudGVyMg==" in str(change.object)) is (kind == "ConfigMap")
