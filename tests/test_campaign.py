"""A part of the campaign: hostile inputs to every public door."""

from tests.campaign import inputs


def test_hostile_inputs_are_refused_in_words_of_ours_or_work():
    table, faults = inputs.summary(1500, seed=1)
    assert not faults, "\n".join(map(str, faults))
    assert "refused" in table
