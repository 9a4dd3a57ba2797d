"""Plugin, contract and engine mean the same by a slice profile."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nullsplat.core.errors import ConfigurationError
from nullsplat.physics.profile import AUTO, Profile
from nullsplat.service.contract.messages import fault
from nullsplat.service.processing.protocol import Parameters
from nullsplat_node import checks
from nullsplat_node.engine import contract

ALPHABET = ["auto", "bell", "box", "gaussian", "*", "mm:", ",", "-", ".", "0", "1", "5", "12", "\n", " "]
SHAPED = st.from_regex(
    r"(bell|box|gaussian)\*[0-9]\.?[0-9]{0,10}|[0-9]{1,5}(\.[0-9]{1,10})?mm:-?[0-9](,-?[0-9](\.[0-9]{1,10})?){1,5}",
    fullmatch=True,
)


def plugin_takes(text: str) -> bool:
    try:
        return checks.slice_profile("slice_profile", text) == text
    except checks.SettingsError:
        return False


def engine_takes(text: str) -> bool:
    try:
        return text == AUTO or Profile.parse(text) is not None
    except ConfigurationError:
        return False


def contract_takes(text: str) -> bool:
    return fault("parameters", {"preset": "preview", "scale": [4, 1, 1], "slice_profile": text}) is None


@given(st.lists(st.sampled_from(ALPHABET), max_size=9).map("".join) | SHAPED)
@example("auto")
@example("bell")
@example("bell\n")
@example("box*0.2")
@example("box*5.00")
@example("box*5.01")
@example("bell*\N{ARABIC-INDIC DIGIT ONE}")
@example("1mm:" + ",".join("1" * 101))
@example("1mm:" + ",".join("1" * 103))
@example("0.0mm:1,2,1")
@example("1mm:1,-3,1")
@example("1mm:1,2,1,2")
def test_all_three_take_and_refuse_the_same_texts(text: str) -> None:
    assert plugin_takes(text) == engine_takes(text)
    # A regular expression cannot add up, so that the contract leaves the sum of a curve to the engine.
    assert contract_takes(text) == (engine_takes(text) or (contract_takes(text) and sum(weights(text)) <= 0))


def weights(text: str) -> list[float]:
    return [float(weight) for weight in text.partition("mm:")[2].split(",") if weight]


@pytest.mark.parametrize("text", ["bell*1.2", "1mm:0.1,0.2,0.4,0.2,0.1"])
def test_what_a_rule_asks_for_reaches_the_processing(text: str) -> None:
    asked = contract.parameters("preview", (4.0, 1.0, 1.0), 0, 1, text)
    assert Parameters.of({"parameters": asked, "attempt": 1}).slice_profile == text


def test_a_request_without_a_profile_is_that_of_an_older_plugin() -> None:
    asked = contract.parameters("preview", (4.0, 1.0, 1.0), 0, 1, "auto")
    assert asked == {"preset": "preview", "scale": [4, 1, 1], "seed": 0, "samples": 1}
    assert Parameters.of({"parameters": asked, "attempt": 1}).slice_profile == AUTO
