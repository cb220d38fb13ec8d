"""An image that no node can pull is told by its name; one failed pull is not yet held against it."""

import pytest

from seatrial.errors import InputError
from seatrial.images import refuse_unpullable


def waiting(reason):
    state = {"waiting": {"reason": reason, "message": "no such host"}}
    return {"status": {"containerStatuses": [{"image": "acme/greeter:9", "state": state}]}}


@pytest.mark.parametrize("reason", ["ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName"])
def test_what_the_kubelet_gives_up_on_is_refused(reason):
    with pytest.raises(InputError, match=f"^acme/greeter:9: expected an image .* found {reason}: no such host; push"):
        refuse_unpullable(waiting(reason))


@pytest.mark.parametrize("pod", [{}, waiting("ContainerCreating"), waiting("ErrImagePull")])
def test_what_may_still_come_is_waited_for(pod):
    assert refuse_unpullable(pod) is None
