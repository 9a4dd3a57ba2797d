# SPDX-License-Identifier: AGPL-3.0-or-later
"""Whether a series is eligible: one verdict with one readable reason."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import List, Sequence, Tuple

from nullsplat_node.rules.conditions import Origin, facts_of
from nullsplat_node.rules.rules import Choice, ProcessingOptions, RuleSet, choose, default_rules, in_words
from nullsplat_node.series.dose import LowDoseRules
from nullsplat_node.series.frames import ENHANCED_CT, slices_of
from nullsplat_node.series.geometry import Stack, stack_of
from nullsplat_node.series.identity import identified, valid_uid
from nullsplat_node.series.kinds import is_lossy, slices_among, strange_word
from nullsplat_node.series.limits import SQUARE_TOLERANCE
from nullsplat_node.series.one_acquisition import one_acquisition
from nullsplat_node.series.pixel_format import hounsfield, pixel_format
from nullsplat_node.series.refusal import Refused
from nullsplat_node.series.syntaxes import READABLE_SYNTAXES
from nullsplat_node.series.tags import Tags, items, named, text, values
from nullsplat_node.series.thickness import slice_thickness, unmeasured_share

CT_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.2"
LEGACY_CONVERTED = "1.2.840.10008.5.1.4.1.1.2.2"
SPECTRAL_IMAGE_TYPES = frozenset(
    # Image Type value 4 of multi-energy images, PS3.3 C.8.15.2.1 and C.8.2.1.1.1
    {
        "VMI",
        "MAT_SPECIFIC",
        "MAT_REMOVED",
        "MAT_FRACTIONAL",
        "EFF_ATOMIC_NUM",
        "ELECTRON_DENSITY",
        "MAT_MODIFIED",
        "MAT_VALUE_BASED",
    }
)
MARKER = "nullsplat"
"""Marks our own results, in Manufacturer and in Contributing Equipment."""
MAX_AUTO_SCALE = 8
"""Largest factor that is chosen automatically; the method was evaluated up to 8."""


@dataclass(frozen=True)
class Criteria:
    """The settings that decide which series are taken.

    Attributes:
        automatic: take eligible series automatically.
        max_age_days: skip series whose last image came longer ago, so that a plugin newly installed at an
            old archive does not start with its past.
        min_slices: fewest slices of a stack.
        low_dose: what counts as low dose, for rules that ask for it.
        rules: which series are taken, and with which options.
    """

    automatic: bool = True
    max_age_days: float = 30.0
    min_slices: int = 10
    low_dose: LowDoseRules = field(default_factory=LowDoseRules)
    rules: RuleSet = field(default_factory=default_rules)


@dataclass(frozen=True)
class Candidate:
    """A series as it lies in the archive."""

    instances: Sequence[Tags]
    origin: Origin = field(default_factory=Origin)
    known_derived: bool = False


@dataclass(frozen=True)
class Taken:
    """The series is eligible.

    Attributes:
        scale: factors along z, y, x.
        decision: the reason, in a sentence.
        rule: the rule that takes it; empty when only a person did.
        options: the processing options; `scale` is what was chosen where they leave it open.
        has_gaps: its slices are thinner than they are apart, and the options allow that.
    """

    scale: Tuple[float, float, float]
    decision: str
    rule: str
    options: ProcessingOptions
    has_gaps: bool = False


def prescreen(modality: str, age_days: float, criteria: Criteria, forced: bool = False) -> None:
    """Refuse what can be refused without reading an image, as most series of an archive can.

    Args:
        age_days: days since the last image came.
        forced: as for `check_eligibility`.
    Raises:
        Refused: it is not taken; says why.
    """
    if modality.upper() != "CT":
        raise Refused("not-ct", f"Modality must be CT, got {modality[:16] or 'none'}")
    if forced:
        return
    if not criteria.automatic:
        raise Refused("not-automatic", "the setting Automatic is false: press Run to process this series")
    if age_days > criteria.max_age_days:
        raise Refused(
            "too-old",
            f"the last image came {age_days:.0f} days ago and MaxAgeDays is {criteria.max_age_days:g}; "
            "press Run to process it anyway",
        )


def check_eligibility(candidate: Candidate, criteria: Criteria, forced: bool = False) -> Taken:
    """Return how the series is to be processed.

    Args:
        forced: a person asked for it; overrules policy (rules, age, automatic), never what makes it unusable.
            The options are those of the rule that would take it, else the defaults.
    Raises:
        Refused: it is not taken; says why.
    """
    images = slices_among(candidate.instances)
    _not_ours(images, candidate.known_derived)
    for tags in images:
        _ct_images(tags)
    identified(candidate.instances)
    slices = slices_of(images)
    for tags in slices:
        _slice_of_ct(tags)
        pixel_format(tags)
        hounsfield(tags)
    _enough_slices(len(slices), criteria.min_slices)
    _one_frame_of_reference(slices)
    stack = stack_of(slices)
    for tags in images:
        _decodable(tags)
    facts = facts_of(slices, candidate.origin, criteria.low_dose)
    choice = choose(criteria.rules, facts)
    taking = choice.rule if choice.rule and choice.rule.process else None
    options = taking.options if taking else criteria.rules.defaults
    thickness = slice_thickness(stack.tags, stack.spacing, options.allow_gaps)
    one_acquisition(stack.tags)
    scale = _scale(stack, options)
    permission = _permission(choice, criteria.rules, forced, _kind(slices) if facts.derived else "")
    gaps = unmeasured_share(thickness, stack.spacing)
    remarks = _remarks(slices, stack, len(candidate.instances) - len(images), gaps)
    decision = "; ".join([permission, _described(stack, scale), *remarks])
    return Taken(scale, decision, taking.name if taking else "", options, bool(gaps))


def _not_ours(images: Sequence[Tags], known_derived: bool) -> None:
    if known_derived:
        raise Refused("ours", "this series is a result that NullSplat stored here")
    for tags in images:
        for equipment in (tags, *items(tags, "ContributingEquipmentSequence")):
            names = text(equipment, "Manufacturer") + " " + text(equipment, "ManufacturerModelName")
            if MARKER in names.lower():
                raise Refused("ours", "its equipment is NullSplat: this is one of its results, sent back")


def _ct_images(tags: Tags) -> None:
    modality, sop_class = text(tags, "Modality").upper(), text(tags, "SOPClassUID")
    if modality != "CT":
        raise Refused("not-ct", f"Modality must be CT, got {modality[:16] or 'none'} in {named(tags)}")
    if sop_class == LEGACY_CONVERTED or _is_classic_loop(tags):
        raise Refused(
            "enhanced-not-supported",
            f"images must be CT or Enhanced CT Image Storage, {named(tags)} is another kind of multi-frame CT; "
            "send classic slices",
        )
    if sop_class not in (CT_IMAGE_STORAGE, ENHANCED_CT):
        raise Refused(
            "not-ct",
            f"images must be CT or Enhanced CT Image Storage, got SOP class {sop_class[:64] or 'none'} in "
            f"{named(tags)}",
        )


def _is_classic_loop(tags: Tags) -> bool:
    return text(tags, "SOPClassUID") == CT_IMAGE_STORAGE and text(tags, "NumberOfFrames") not in (
        "",
        "0",
        "1",
    )


def _slice_of_ct(tags: Tags) -> None:
    image_type = values(tags, "ImageType")
    if "LOCALIZER" in image_type:
        raise Refused(
            "localizer",
            f"axial slices are needed, Image Type of {named(tags)} says LOCALIZER; send the scan itself",
        )
    if image_type[:1] not in (("ORIGINAL",), ("DERIVED",)):
        raise Refused(
            "derived",
            f"Image Type must begin with ORIGINAL or DERIVED, got {image_type[0][:16] if image_type else 'none'} in "
            f"{named(tags)}",
        )
    strange = strange_word(tags)
    if strange is not None:
        raise Refused(
            "derived",
            f"slices are needed, or reformats of slices in HU, {named(tags)} is derived of the kind {strange[:16]}; "
            "send the series that the scanner reconstructed",
        )
    if text(tags, "PresentationIntentType").upper() == "FOR PROCESSING":
        raise Refused(
            "for-processing",
            "images for presentation are needed, Presentation Intent Type says FOR PROCESSING",
        )
    _single_energy(tags, image_type)


def _single_energy(tags: Tags, image_type: Tuple[str, ...]) -> None:
    if "YES" in values(tags, "MultienergyCTAcquisition") or items(tags, "MultienergyCTAcquisitionSequence"):
        raise Refused(
            "multi-energy",
            "a single-energy series is needed, Multi-energy CT Acquisition says YES; send a conventional reconstruction",
        )
    spectral = SPECTRAL_IMAGE_TYPES.intersection(image_type[3:])
    if spectral:
        raise Refused(
            "multi-energy",
            f"a single-energy series is needed, Image Type says {min(spectral)}; send a conventional reconstruction",
        )


def _one_frame_of_reference(slices: Sequence[Tags]) -> None:
    """Refuse several; where no slice has one, the engine makes one."""
    said = [text(tags, "FrameOfReferenceUID") for tags in slices]
    for tags in slices if any(said) else ():
        valid_uid(tags, "FrameOfReferenceUID")
    count = len(set(said))
    if count > 1:
        raise Refused(
            "mixed-frame-of-reference", f"all slices must have one Frame of Reference UID, there are {count}"
        )


def _enough_slices(count: int, least: int) -> None:
    if count < least:
        raise Refused(
            "too-few-slices",
            f"at least {least} slices are needed, there {'is' if count == 1 else 'are'} {count}",
        )


def _scale(stack: Stack, options: ProcessingOptions) -> Tuple[float, float, float]:
    if options.scale is not None:
        _square_pixels(stack, options.scale)
        return options.scale
    factor = min(MAX_AUTO_SCALE, max(1, round(stack.spacing / options.target_spacing)))
    if factor == 1:
        raise Refused(
            "already-fine",
            f"slices are {stack.spacing:.4g} mm apart and the target is {options.target_spacing:g} mm; "
            "set Scale to have it refined further",
        )
    return (factor, 1, 1)


def _square_pixels(stack: Stack, scale: Tuple[float, float, float]) -> None:
    rows, columns = stack.pixel_spacing
    if max(scale[1:]) > 1 and abs(rows / columns - 1) > SQUARE_TOLERANCE:
        raise Refused(
            "non-square-pixels",
            f"square pixels are needed to refine along y and x, these are {rows:.4g} x {columns:.4g} mm; "
            "let a rule refine such series along z alone",
        )


def _decodable(tags: Tags) -> None:
    syntax = text(tags, "TransferSyntaxUID")
    if syntax and syntax not in READABLE_SYNTAXES:
        raise Refused(
            "unsupported-transfer-syntax",
            f"pixels that the engine can decode are needed, {named(tags)} is in transfer syntax {syntax[:64]}; "
            "send Explicit VR Little Endian",
        )


def _permission(choice: Choice, rules: RuleSet, forced: bool, derived: str) -> str:
    """Return why the series may be processed; raise `Refused` when it may not.

    Args:
        derived: what kind of derived series it is, empty for an original.
    """
    words = _in_words(choice, rules)
    if forced:
        return f"a person asked for it ({words})"
    if derived and choice.rule is None:
        raise Refused(
            "derived-slices",
            f"it is {derived}, which only a rule with derived = true takes; press Run to process it anyway",
        )
    if choice.rule is None:
        code = "no-rule" if rules.source else "not-low-dose"
        raise Refused(code, f"{words}; press Run to process it anyway")
    if not choice.rule.process:
        raise Refused("left-alone", f"{words}; press Run to process it anyway")
    return words


def _in_words(choice: Choice, rules: RuleSet) -> str:
    if not rules.source:  # the built-in rule is about dose alone, and so is its reason
        return choice.why if choice.rule else choice.passed[0].why
    if choice.rule is None:
        return f"no rule takes it ({choice.why})"
    leaves = "" if choice.rule.process else " excludes it"
    return f"rule {choice.rule.name!r}{leaves}: {choice.why}"


def _kind(slices: Sequence[Tags]) -> str:
    if any(is_lossy(tags) for tags in slices):
        return "a copy that was compressed with loss, which is why Image Type says DERIVED"
    return "a series of reformatted or otherwise derived slices"


def _remarks(slices: Sequence[Tags], stack: Stack, left_out: int, gaps: float) -> List[str]:
    """Return what is unusual about the series without making it ineligible."""
    remarks = []
    if gaps:
        remarks.append(f"gaps are allowed, {gaps:.0%} of the length was never measured")
    if stack.tilt:
        remarks.append(f"the gantry was tilted by {stack.tilt:.1f} degrees, which the engine sets straight")
    if not text(slices[0], "FrameOfReferenceUID"):
        remarks.append("it has no Frame of Reference UID, the result gets one made of the Series UID")
    if left_out:
        remarks.append(f"{left_out} image{'s' if left_out > 1 else ''} of it that are no slices are left out")
    if any(is_lossy(tags) for tags in slices):
        remarks.append("it was compressed with loss")
    return remarks


def _described(stack: Stack, scale: Tuple[float, float, float]) -> str:
    return f"{stack.slices} slices {stack.spacing:.4g} mm apart, scale {in_words(scale)}"
