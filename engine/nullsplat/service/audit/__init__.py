"""Who did what with which job: the log on this machine, and messages to an audit repository."""
