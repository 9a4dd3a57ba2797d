"""The database that API and workers share: tables, schema, integrity, backup."""
