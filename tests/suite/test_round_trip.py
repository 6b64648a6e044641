"""A mock that is given the profile of a service answers the open questions as the service does."""

from functools import partial

import pytest

from evaluation.engine import PASSED, run_calls
from evaluation.profiles import round_trip


@pytest.mark.parametrize("name", ["natural", "july", "vendor_like"])
def test_a_mock_with_the_profile_of_a_service_gives_its_answers(name: str) -> None:
    (outcome,) = run_calls([partial(round_trip, name, ("reads", "rejects", "smoke"))], 1)
    assert (outcome.status, outcome.failed) == (PASSED, ()), outcome.output[:3000]
    assert len(outcome.observed) > 90
