"""Options and help of each command; what a command does is in the module of the same name in `work`."""
