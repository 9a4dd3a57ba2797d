"""The API process: takes jobs and answers for them; does none."""
