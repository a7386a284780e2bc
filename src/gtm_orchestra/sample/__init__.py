"""The sample workspace: a synthetic PLG company with planted truths, written as Parquet, gtm.toml and a manifest."""
