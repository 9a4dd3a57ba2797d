"""The worker process: fetches, computes, stores."""
