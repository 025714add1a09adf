"""Every setting of the engines stands in one group of the ablation, with cases that can be made."""

from __future__ import annotations

from benchmark_scripts import script

ablation = script("ablation")


def test_every_setting_stands_in_one_group_whose_cases_load() -> None:
    planned = ablation.plan()
    assert set(ablation.all_fields()) == {f for group in planned.groups for f in group["fields"]}
    for group in planned.groups:
        for name in group["cases"]:
            assert planned.case(name).changed().lesions, name


def test_every_setting_has_a_unit_to_vary_it_by() -> None:
    for name in ablation.all_fields():
        room, field = name.split(".")
        assert ablation.unit_of(ablation.ROOMS[room], field), name
