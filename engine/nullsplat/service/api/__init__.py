"""The API process: accepts jobs and reports on them; runs none."""
