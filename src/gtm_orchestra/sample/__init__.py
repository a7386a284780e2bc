"""The sample workspace: a synthetic PLG company with planted truths, as Parquet, gtm.toml and a manifest."""
