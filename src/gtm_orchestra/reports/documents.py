"""The working documents in Markdown: eligibility, activation, governance, data use."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from gtm_orchestra.reports.answer import UNSIGNED, channel_answers, go_label, signers
from gtm_orchestra.reports.tables import code, markdown_table, prose
from gtm_orchestra.reports.wording import (
    CHANNEL_LABELS,
    decider,
    moment,
    number,
    operator,
    people,
    percent,
    person,
    role_label,
    share_of,
    words,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gtm_orchestra.audience.contracts import Activation, Profile, TreeNode
    from gtm_orchestra.reports.material import Material

__all__ = ["activation_markdown", "data_use_markdown", "eligibility_markdown", "governance_markdown"]


def _opening(title: str, material: Material) -> list[str]:
    return [
        f"# {title}: {prose(material.initiative)}",
        "",
        UNSIGNED,
        "",
        f"Data as of {moment(material.as_of)}.",
        "",
    ]


def _page(lines: Iterable[str]) -> bytes:
    return ("\n".join(lines).rstrip() + "\n").encode()


def _bullets(parts: Iterable[str]) -> list[str]:
    return [f"- {part}" for part in parts]


def _json_block(condition: Mapping[str, object]) -> list[str]:
    return ["```json", json.dumps(condition, indent=2, sort_keys=True, ensure_ascii=True), "```", ""]


def eligibility_markdown(material: Material) -> bytes:
    """Return who is in each profile and who is left out, in English and as conditions."""
    lines = _opening("Eligibility and suppression", material)
    lines += [
        (
            "A profile is a segment of people, not one person's record. A comparison with a missing value is "
            "false: somebody without a value is never in by accident. Consent and suppression are asked on "
            "every channel as well, and a missing answer means the fallback."
        ),
        "",
        "## People left out of every profile",
        "",
    ]
    rows = [
        [
            code(name),
            prose(material.in_english(rule.condition)),
            prose(rule.reason),
            people(material.consent.suppressed.get(name, 0), material.minimum),
            words(CHANNEL_LABELS[c] for c in rule.channels),
        ]
        for name, rule in sorted(material.config.suppressions.items())
    ]
    header = ("Suppression", "Who", "Why", "People", "Channels")
    lines += [markdown_table(header, rows)] if rows else ["gtm.toml names no suppression.", ""]
    for profile in material.profiles.profiles:
        lines += _eligibility(material, profile)
    lines += [
        "## Order of the profiles",
        "",
        "A person who fits several profiles gets the first that matches. Counts are first matches:",
        "",
    ]
    lines += [*_tree(material, material.profiles.tree, 0), ""]
    return _page(lines)


def _eligibility(material: Material, profile: Profile) -> list[str]:
    total = material.inventory.identity.people
    size = people(profile.size, material.minimum)
    lines = [
        f"## {prose(profile.name)}",
        "",
        f"{prose(profile.description)}",
        "",
        (
            f"{size} people fit ({share_of(profile.size, total, material.minimum)} of all), before consent; "
            "lifecycle stage "
            f"{prose(profile.lifecycle_stage)}. Identifier: {code(profile.profile_id)}."
        ),
        "",
    ]
    if not profile.deployable:
        lines += [f"**Not deployable:** {prose(profile.why_not)}", ""]
    if profile.parent:
        lines += [f"Offered in place of a group that was too small to show: {prose(profile.parent)}.", ""]
    lines += [
        "### In",
        "",
        prose(material.in_english(profile.eligibility)),
        "",
        *_json_block(profile.eligibility),
    ]
    lines += ["### Left out", ""]
    if profile.suppression:
        lines += [prose(material.in_english(profile.suppression)), "", *_json_block(profile.suppression)]
    else:
        lines += ["Nobody beyond the suppressions above.", ""]
    cuts = [
        [code(t.attribute), prose(operator(t.operator)), prose(_value(t.value)), prose(t.evidence)]
        for t in profile.thresholds
    ]
    if cuts:
        lines += [
            "### Where the cuts lie",
            "",
            markdown_table(("Attribute", "Is", "Value", "Evidence"), cuts),
        ]
    lines += _score(profile)
    lines += [f"Everyone else sees: {prose(profile.fallback)}.", ""]
    return lines


def _value(value: float | str) -> str:
    return value if isinstance(value, str) else number(value)


def _score(profile: Profile) -> list[str]:
    if not profile.score:
        return []
    rows = [
        [
            code(part.attribute),
            number(part.weight),
            f"{number(part.low)} to {number(part.high)}" + (", less is more" if part.invert else ""),
        ]
        for part in profile.score
    ]
    return [
        "### Score",
        "",
        markdown_table(("Attribute", "Weight", "Scaled between"), rows),
        (
            f"The score halves every {profile.half_life} without new evidence; membership ends after "
            f"{profile.decay_window} without it."
        ),
        "",
    ]


def _tree(material: Material, node: TreeNode, depth: int) -> list[str]:
    pad = "  " * depth
    if node.leaf:
        reached = f" ({people(node.people, material.minimum)} people)" if node.people is not None else ""
        return [f"{pad}- **{prose(node.leaf)}**{reached}"]
    lines = [f"{pad}- {prose(node.question)}"]
    for label, branch in (("yes", node.yes), ("no", node.no)):
        if branch is not None:
            lines += [f"{pad}  - {label}:", *_tree(material, branch, depth + 2)]
    return lines


def activation_markdown(material: Material) -> bytes:
    """Return what has to be wired for each profile on each channel, as a list to tick off."""
    names = {p.profile_id: p.name for p in material.profiles.profiles}
    lines = _opening("Activation checklist", material)
    for answer in channel_answers(material):
        lines += [f"## {answer.label}: {answer.status}", ""]
        if answer.status == "GO":
            lines += [
                f"{answer.reachable} people can be reached, by {prose(answer.system or 'no system yet')}"
                + (f" ({prose(answer.counted)})." if answer.counted else "."),
                "",
            ]
            if answer.condition:
                lines += [f"On one condition: {prose(answer.condition)}", ""]
        else:
            lines += [
                f"{prose(answer.why)} What mends it: {prose(answer.mend)} Decides: {prose(answer.decides)}.",
                "",
            ]
        here = [a for a in material.activation.activations if a.channel == answer.channel]
        for activation in here:
            lines += _activation(material, names, activation)
    return _page(lines)


def _activation(material: Material, names: Mapping[str, str], activation: Activation) -> list[str]:
    state = go_label(activation)
    fields = ", ".join(code(f) for f in activation.payload) or "none"
    lines = [
        (
            f"### {prose(names.get(activation.profile_id, activation.profile_id))}: {state}, "
            f"{people(activation.people, material.minimum)} people reachable"
        ),
        "",
        f"- [ ] System: {prose(activation.system or 'not decided')}",
        f"- [ ] Needs: {prose(activation.need)}",
        f"- [ ] Fields that travel: {fields}",
        f"- [ ] Decided in the {activation.decided_at}; everyone else sees: {prose(activation.fallback)}",
    ]
    if activation.missing_at:
        missing = words(code(name) for name in activation.missing_at)
        lines.append(f"- [ ] Make available where it is decided ({activation.decided_at}): {missing}")
    lines += [f"- [ ] **Blocker:** {prose(blocker)}" for blocker in activation.blockers]
    return [*lines, ""]


def governance_markdown(material: Material) -> bytes:
    """Return owners, cadences, checkpoints, and every finding with who decides it."""
    config, as_of = material.config, material.as_of
    lines = _opening("Governance plan", material)
    lines += [f"Signs: {prose(signers(material))}.", "", "## Who owns what", ""]
    duties = [
        [
            prose(duty.subject),
            prose(person(duty.owner, config)) if duty.owner else f"**open:** {prose(role_label(duty.role))}",
            prose(role_label(duty.role)),
            prose(duty.qa_cadence),
            prose(duty.change_checkpoint),
        ]
        for duty in material.governance.duties
    ]
    lines += [markdown_table(("Subject", "Owner", "Role", "Quality check", "A change needs"), duties)]
    lines += ["## Checkpoints", "", *_bullets(prose(c) for c in material.governance.checkpoints), ""]
    lines += ["## Findings, the worst first", ""]
    found = [
        [
            finding.severity,
            prose(finding.subject),
            prose(finding.message),
            prose(finding.mend),
            prose(decider(finding.decides, config, as_of)),
            "yes" if finding.waivable else "no",
        ]
        for finding in material.findings
    ]
    header = ("Severity", "About", "What", "What mends it", "Decides", "A person may overrule it")
    lines += [markdown_table(header, found)] if found else ["None.", ""]
    lines += ["## How it is measured", ""]
    rows = [
        [
            prose(measure.profile_id),
            prose(measure.metric),
            people(measure.people, material.minimum),
            percent(measure.detectable) if measure.detectable is not None else "none",
            f"{measure.days:,} days" if measure.days is not None else "never",
            prose(measure.verdict),
        ]
        for measure in material.measurability.measures
    ]
    table = (
        "Profile",
        "Metric",
        "People",
        "Smallest visible lift today",
        "Until 10% is visible",
        "In words",
    )
    lines += [markdown_table(table, rows)]
    return _page(lines)


def data_use_markdown(material: Material) -> bytes:
    """Return the data-use record: per profile what is used, why, on which basis, and what is still open."""
    names = {p.profile_id: p.name for p in material.profiles.profiles}
    lines = _opening("Data-use record", material)
    lines += ["A draft for the privacy lead to complete. It is not legal advice.", ""]
    for use in material.governance.data_uses:
        lines += [
            f"## {prose(names.get(use.profile_id, use.profile_id))}",
            "",
            *_bullets(
                (
                    f"Attributes: {', '.join(code(a) for a in use.attributes) or 'none'}",
                    f"Purpose: {prose(use.purpose)}",
                    f"Lawful basis: {prose(use.lawful_basis)}",
                    f"Recipients: {prose(words(use.recipients)) or 'none'}",
                    f"Retention: {prose(use.retention)}",
                    f"Proxies of special categories: {prose(words(use.proxies)) or 'none found'}",
                )
            ),
            "",
        ]
        if use.open_questions:
            lines += ["Open questions:", "", *_bullets(f"[ ] {prose(q)}" for q in use.open_questions), ""]
    barred = [[code(b.name), b.sensitivity, prose(b.why)] for b in material.barred]
    lines += ["## Attributes that may not be used", ""]
    lines += [markdown_table(("Attribute", "Sensitivity", "Why"), barred)] if barred else ["None.", ""]
    return _page(lines)
