"""Decisions per second: 20 rules over 8 attributes, with splits, people from DuckDB, beside GrowthBook's SDK.

The goal is 5 million decisions a second on two cores with 10 million people: --people 10000000.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import duckdb
from growthbook import GrowthBook

from gtm_orchestra.decisions import check_rule_sets, read_features, simulate

QUERY = """
SELECT 'user-' || range AS id,
  ['DE', 'FR', 'US', 'AT', 'GB'][(1 + hash(range) % 5)::BIGINT] AS country,
  ['free', 'team', 'pro'][(1 + hash(range + 1) % 3)::BIGINT] AS plan,
  ['web', 'ads', 'sales'][(1 + hash(range + 2) % 3)::BIGINT] AS source,
  (hash(range + 3) % 60)::DOUBLE AS sessions,
  (hash(range + 4) % 500)::DOUBLE AS seats,
  (hash(range + 5) % 365)::DOUBLE AS age_days,
  hash(range + 6) % 10 = 0 AS is_customer,
  CASE WHEN hash(range + 7) % 5 > 0 THEN 'granted' END AS consent__web
FROM range({people})
"""


def rules() -> list[dict[str, Any]]:
    """Return 20 rules of about four statements each; every other one splits."""
    found = []
    for at in range(20):
        condition: dict[str, Any] = {
            "consent.web": "granted",
            "country": {"$in": [["DE", "AT"], ["FR"], ["US", "GB"]][at % 3]},
            "sessions": {"$exists": True, "$gte": at % 7 * 8},
        }
        name, value = (("plan", "pro"), ("source", "ads"), ("is_customer", False))[at // 3 % 3]
        condition[name] = value
        condition |= [{"seats": {"$exists": True, "$lt": 300}}, {"age_days": {"$exists": True, "$gt": 90}}][
            at % 2
        ]
        rule: dict[str, Any] = {
            "id": f"r{at}",
            "condition": condition,
            "hashAttribute": "id",
            "hashVersion": 2,
        }
        rule |= (
            {"variations": [f"{at}a", f"{at}b"], "weights": [0.5, 0.5], "key": f"exp-{at}", "coverage": 0.8}
            if at % 2
            else {"force": at, "coverage": 0.9}
        )
        found.append(rule)
    return found


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--people", type=int, default=1_000_000)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    features = {"banner": {"defaultValue": "none", "rules": rules()}}
    began = time.perf_counter()
    payload = read_features({"features": features})
    findings = check_rule_sets(payload.rule_sets, already=payload.findings)
    print(f"checks of 20 rules: {time.perf_counter() - began:.2f} s, {len(findings)} findings")
    connection = duckdb.connect()
    connection.execute(f"CREATE TABLE people AS {QUERY.format(people=options.people)}")
    began = time.perf_counter()
    reader = connection.execute("SELECT * FROM people").to_arrow_reader(250_000)
    found = simulate(payload.rule_sets[0], reader, workers=options.workers)
    took = time.perf_counter() - began
    print(
        f"gtm, {options.workers} threads: {found.people:,} people in {took:.2f} s, "
        f"{found.people / took / 1e6:.2f} M/s, fallback {found.fallback_rate:.1%}"
    )
    sample = connection.execute("SELECT * FROM people LIMIT 20000").to_arrow_table().to_pylist()
    visitors = [
        {name: value for name, value in row.items() if name != "consent__web" and value is not None}
        | ({"consent": {"web": row["consent__web"]}} if row["consent__web"] else {})
        for row in sample
    ]
    client = GrowthBook(features=features)
    began = time.perf_counter()
    for visitor in visitors:
        client.set_attributes(visitor)
        client.eval_feature("banner")
    took = time.perf_counter() - began
    print(
        f"GrowthBook SDK, one process: {len(visitors):,} people in {took:.2f} s, "
        f"{len(visitors) / took / 1e6:.3f} M/s"
    )


if __name__ == "__main__":
    main()
