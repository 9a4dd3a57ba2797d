"""The engine as a service: HTTP API, durable jobs, worker."""
