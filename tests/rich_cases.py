"""Two cases with one schedule per lesion in which many terms, or all that count, are at work."""

from __future__ import annotations

from typing import Any

from abscopt.instances.load import build
from abscopt.instances.schema import Instance

Raw = dict[str, Any]

CITED: Raw = {"source": "test", "status": "assumed"}
BINS: Raw = {"doses": [0.1, 0.3, 0.5], "shares": [0.3, 0.4, 0.3], "source": "test"}


def rich(kinds: tuple[Raw, ...] = ()) -> Instance:
    """Two sites and occult disease; chemotherapy and two checkpoint inhibitors must be given."""
    return build(rich_raw(kinds))


def rich_raw(kinds: tuple[Raw, ...] = ()) -> Raw:
    regimens = {
        "both": [
            {"drug": "durvalumab", "day": 0, "amount": 1500.0, "unit": "mg"},
            {"drug": "tremelimumab", "day": 0, "amount": 300.0, "unit": "mg"},
        ],
        "chemo": [{"drug": "cisplatin", "day": 0, "amount": 75.0, "unit": "mg_per_m2"}],
    }

    def site(name: str, start: int) -> Raw:
        return {
            "use": "plain_lq",
            "name": name,
            "organ": "site",
            "volume_cm3": 10.0,
            "clonogens": 1e6,
            "growth_doubling_time_days": 50.0,
            "repopulation_doubling_time_days": 4.0,
            "kick_off_days": 1.0,
            "effector_share": 0.3,
            "precursor_share": 0.3,
            "effector_kill_per_fraction": 0.2,
            "lymphocyte_loss_per_fraction": 0.05,
            "integral_dose_cm3": 1000.0,
            "course": {
                "form": "uniform",
                "fractions": [3],
                "doses_gy": [7.0],
                "first_start_day": start,
                "last_start_day": start,
            },
            "sparing": {
                "organ": {"max": 0.5, "mean": 0.3, "second_moment": 0.2},
                "lungs": {"mean": 0.1},
                "heart": {"mean": 0.1},
            },
            "histograms": {"organ": BINS},
        }

    occult: Raw = {
        "use": "plain_lq",
        "name": "occult",
        "organ": "disseminated",
        "irradiable": False,
        "clonogens": 10.0,
        "effector_share": 0.4,
        "precursor_share": 0.4,
    }
    return {
        "format": 1,
        "name": "rich",
        "title": "rich",
        "horizon_days": [40, 60],
        "provenance": {"source": "test"},
        "immune": {
            "use": "default",
            "effect_per_effector": 0.3,
            "blockade_effect": 0.5,
            "preblockade_sign": 0.5,
        },
        "organs": {name: {"use": "generic_late"} for name in ("organ", "lungs", "heart")},
        "lesions": [site("one", 1), site("two", 2), occult],
        "limits": [{**kind, **CITED} for kind in kinds],
        "regimens": {
            name: {"cycle_days": 21, "max_cycles": 1, "doses": doses, **CITED}
            for name, doses in regimens.items()
        },
        "agents": [
            {
                "name": name,
                "regimens": [name],
                "first_start_day": 0,
                "last_start_day": 0,
                "optional": False,
            }
            for name in regimens
        ],
    }


PHASES = {
    "relatlimab": ("effector", 1, 0.5),
    "ivuxolimab": ("priming", 1, 1.0),
    "utomilumab": ("mobilization", 1, 0.5),
    "tiragolumab": ("suppression", -1, 0.5),
}


def richer(kinds: tuple[Raw, ...] = ()) -> Instance:
    """The rich case with every new term that has a coefficient."""
    return build(richer_raw(kinds))


def richer_raw(kinds: tuple[Raw, ...] = ()) -> Raw:
    raw = rich_raw(kinds)
    raw["immune"] |= {
        "release_factor": 0.9,
        "share_factor": 0.9,
        "suppression_above_gy": 2.0,
        "suppression_per_gy": 0.1,
        "suppression_after_days": 0.0,
        "suppression_per_day": 0.05,
        "pdl1_upregulation": 0.5,
        "burden_limit_cm3": 8.0,
        "burden_blockade": 0.5,
        "effect_per_effector": 0.2,
    }
    for lesion in raw["lesions"][:2]:
        lesion |= {
            "oxygen_modification_factor": 1.3,
            "reoxygenation_days": 8.0,
            "repair_half_time_hours": 3.0,
            "clones": [
                {"name": "most", "share": 0.9},
                {
                    "name": "few",
                    "share": 0.1,
                    "alpha_per_gy": 0.25,
                    "effector_share_factor": 0.8,
                    "drug_kill_factor": 0.5,
                },
            ],
            "techniques": [{"name": "way", "irradiated_share": {"few": 0.999}, "node_factor": 0.8}],
        }
        lesion["course"] |= {"fractions": [4], "fractions_per_day": 2}
    raw["organs"]["organ"] |= {
        "repair_half_time_hours": 4.0,
        "sensitizer_enhancement_ratio": 1.2,
    }
    raw["drugs"] = {
        name: {"use": name, "phase": phase, "sign": sign, "strength": strength}
        for name, (phase, sign, strength) in PHASES.items()
    }
    raw["drugs"]["cisplatin"] = {
        "use": "cisplatin",
        "cytotoxic_log_kill_per_dose": 0.5,
        "precursor_log_loss_per_dose": 0.3,
    }
    for name in PHASES:
        given = {"drug": name, "day": 0, "amount": 100.0, "unit": "mg"}
        raw["regimens"]["both"]["doses"].append(given)
    return raw
